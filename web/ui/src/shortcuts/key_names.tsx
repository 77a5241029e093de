import { Fragment } from "react";
import type { Keys } from "./table";
import { IS_MAC } from "./use_shortcut";
import { words } from "./words";

/** The keys as they are written on the keyboard. */
export function namesOf({ key, mod, shift }: Keys): string[] {
  const { keys } = words();
  const named = key in keys ? keys[key as keyof typeof keys] : key.toUpperCase();
  return [mod && (IS_MAC ? "⌘" : keys.mod), shift && keys.shift, named].filter(
    (one): one is string => typeof one === "string",
  );
}

/** Each alternative as keys to be pressed together. */
export function KeyNames({
  alternatives,
}: {
  readonly alternatives: readonly (readonly string[])[];
}) {
  return alternatives.map((names, index) => (
    <Fragment key={names.join("+")}>
      {index > 0 && ` ${words().or} `}
      {names.map((name, place) => (
        <Fragment key={name}>
          {place > 0 && "+"}
          <kbd>{name}</kbd>
        </Fragment>
      ))}
    </Fragment>
  ));
}
