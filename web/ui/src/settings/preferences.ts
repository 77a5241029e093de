/** What was chosen in this browser, the same in all of its tabs. `public/theme.js` applies some of
 * it before the first paint, and reads the same keys. */
import { useSyncExternalStore } from "react";
import { store, write } from "../chat/storage";

/** Name -> the values that it may have, the default first. */
export const PREFERENCES = {
  theme: ["system", "light", "dark"],
  density: ["comfortable", "compact"],
  language: ["system", "en", "de"],
  send_key: ["enter", "ctrl_enter"],
  notifications: ["off", "on"],
} as const;

export type Preference = keyof typeof PREFERENCES;
export type Value<P extends Preference> = (typeof PREFERENCES)[P][number];

const PREFIX = "holdfast.";
const listeners = new Set<() => void>();

export function preference<P extends Preference>(name: P): Value<P> {
  const values: readonly Value<P>[] = PREFERENCES[name];
  const kept = store.getItem(PREFIX + name);
  return values.find((value) => value === kept) ?? PREFERENCES[name][0];
}

export function choose<P extends Preference>(name: P, value: Value<P>): void {
  write(PREFIX + name, value === PREFERENCES[name][0] ? "" : value);
  changed();
}

export function usePreference<P extends Preference>(name: P): Value<P> {
  return useSyncExternalStore(subscribe, () => preference(name));
}

/** Keep in step with the other tabs; the function ends that. */
export function followPreferences(): () => void {
  const stored = (event: StorageEvent) => {
    if (event.key === null || event.key.slice(PREFIX.length) in PREFERENCES) changed();
  };
  window.addEventListener("storage", stored);
  changed();
  return () => window.removeEventListener("storage", stored);
}

function changed(): void {
  const { dataset } = document.documentElement;
  const [theme, density] = [preference("theme"), preference("density")];
  if (theme === "system") delete dataset["theme"];
  else dataset["theme"] = theme;
  if (density === "comfortable") delete dataset["density"];
  else dataset["density"] = density;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
