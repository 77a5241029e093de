import { useId } from "react";
import { choose, PREFERENCES, usePreference, type Preference, type Value } from "./preferences";

interface Props<P extends Preference> {
  readonly name: P;
  readonly label: string;
  /** What each value is called. */
  readonly names: Readonly<Record<Value<P>, string>>;
}

/** One preference with a few values. */
export function Choice<P extends Preference>({ name, label, names }: Props<P>) {
  const chosen = usePreference(name);
  const group = useId();
  const values: readonly Value<P>[] = PREFERENCES[name];
  return (
    <fieldset className="choice">
      <legend>{label}</legend>
      {values.map((value) => (
        <label key={value}>
          <input
            type="radio"
            name={group}
            checked={value === chosen}
            onChange={() => choose(name, value)}
          />
          <span>{names[value]}</span>
        </label>
      ))}
    </fieldset>
  );
}
