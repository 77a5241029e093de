/** Binds what a shortcut does, as long as the component is there. Of several bindings the last one is
 * asked first; one that returns `false` leaves the key to the others, and at last to the browser. */
import { useEffect, useRef } from "react";
import { pressedShortcut, type ShortcutId } from "./table";

/** There Command is what Ctrl is elsewhere. */
export const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

type Work = () => unknown;

const bound = new Map<ShortcutId, Work[]>();

export function useShortcut(id: ShortcutId, work: Work): void {
  const latest = useRef(work);
  useEffect(() => {
    latest.current = work;
  });
  useEffect(() => bind(id, () => latest.current()), [id]);
}

/** Bind it; the function ends that. */
export function bind(id: ShortcutId, work: Work): () => void {
  bound.set(id, [...(bound.get(id) ?? []), work]);
  return () =>
    bound.set(
      id,
      (bound.get(id) ?? []).filter((one) => one !== work),
    );
}

/** Whether somebody has done it. */
export function run(id: ShortcutId): boolean {
  return [...(bound.get(id) ?? [])].reverse().some((work) => work() !== false);
}

/** Follow the keys of the document; the function ends that. */
export function followKeys(): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    // A dialog has keys of its own, and what is behind it is out of reach.
    if (document.querySelector("dialog[open]")) return;
    const [mod, other] = IS_MAC ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
    if (other || event.altKey) return;
    const field = textOf(event.target);
    const found = pressedShortcut({ key: event.key, mod, shift: event.shiftKey, field });
    if (found && run(found.id)) event.preventDefault();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function textOf(target: EventTarget | null): string | undefined {
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)
    return target.value;
  if (target instanceof HTMLSelectElement) return target.value;
  return target instanceof HTMLElement && target.isContentEditable ? target.innerText : undefined;
}
