/** All shortcuts: what a key means. Pure. Who binds one says what it does (`use_shortcut.ts`). */

export type ShortcutId =
  "help" | "search" | "new" | "settings" | "stop" | "edit_last" | "sessions" | "composer" | "menu";

export interface Keys {
  /** As `KeyboardEvent.key`, in lower case. */
  readonly key: string;
  /** Ctrl, on a Mac Command. */
  readonly mod?: boolean;
  readonly shift?: boolean;
}

export interface Shortcut {
  readonly id: ShortcutId;
  readonly keys: readonly Keys[];
  /** `always`; `outside`: not while something is written; `empty`: not in a field with text. */
  readonly where: "always" | "outside" | "empty";
}

/** In the order of the help. Browsers keep Ctrl+N for themselves, but not in an installed app. */
export const SHORTCUTS: readonly Shortcut[] = [
  { id: "search", keys: [{ key: "k", mod: true }], where: "always" },
  {
    id: "new",
    keys: [
      { key: "o", mod: true, shift: true },
      { key: "n", mod: true },
    ],
    where: "always",
  },
  { id: "stop", keys: [{ key: "escape" }], where: "always" },
  { id: "edit_last", keys: [{ key: "arrowup" }], where: "empty" },
  { id: "composer", keys: [{ key: "escape", shift: true }], where: "always" },
  { id: "sessions", keys: [{ key: "s", mod: true, shift: true }], where: "always" },
  { id: "menu", keys: [{ key: "b", mod: true }], where: "always" },
  { id: "settings", keys: [{ key: ",", mod: true }], where: "always" },
  { id: "help", keys: [{ key: "?" }, { key: "/", mod: true }], where: "outside" },
];

/** What was pressed, and where. */
export interface Pressed {
  readonly key: string;
  readonly mod: boolean;
  readonly shift: boolean;
  /** The text of the field in which it was pressed; none: in no field. */
  readonly field?: string | undefined;
}

/** The shortcut that was pressed. */
export function pressedShortcut(pressed: Pressed): Shortcut | undefined {
  return SHORTCUTS.find((one) => one.keys.some((keys) => isPressed(one, keys, pressed)));
}

function isPressed({ where }: Shortcut, keys: Keys, { key, mod, shift, field }: Pressed): boolean {
  if (key.toLowerCase() !== keys.key || mod !== (keys.mod ?? false)) return false;
  // On many keyboards signs such as ? need Shift, so it counts with names and letters only.
  if (/^\w+$/.test(keys.key) && shift !== (keys.shift ?? false)) return false;
  if (mod || where === "always") return true;
  return where === "empty" ? field === "" : field === undefined;
}
