/** Whether this browser may show notifications. It is asked in the settings only. */
export type Permission = "granted" | "denied" | "default" | "missing";

export function permission(): Permission {
  return "Notification" in globalThis ? Notification.permission : "missing";
}

/** Ask the person, unless the browser knows the answer. */
export async function askPermission(): Promise<Permission> {
  if (permission() !== "default") return permission();
  return Notification.requestPermission();
}
