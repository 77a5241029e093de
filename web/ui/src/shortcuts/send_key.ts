/** Which key sends a message. Pure. */
import type { Value } from "../settings/preferences";

type Pressed = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey">;

/** Ctrl (or Command) with Enter always sends; Enter alone where that was chosen. */
export function sends(event: Pressed, chosen: Value<"send_key">): boolean {
  if (event.key !== "Enter" || event.shiftKey) return false;
  return event.ctrlKey || event.metaKey || chosen === "enter";
}
