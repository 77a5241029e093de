import type { Choices } from "../../client";
import type { ProfileEntry } from "../../client/api.generated";
import { Popover } from "../popover";
import { OPTIONS as WORDS } from "../words";

interface Props {
  readonly profiles: readonly ProfileEntry[];
  /** The profile that answers in this session. */
  readonly profile: ProfileEntry | undefined;
  readonly model: string | undefined;
  readonly choices: Choices;
  readonly onChange: (changes: Choices) => void;
}

/** Who answers in this session, and what it is told each time. */
export function SessionOptions({ profiles, profile, model, choices, onChange }: Props) {
  const models = profile?.models ?? [];
  const shown = model ?? profile?.model ?? WORDS.ownModel;
  const unlisted = model !== undefined && !models.includes(model) ? [model] : [];
  return (
    <Popover
      className="options"
      title={WORDS.title}
      isUp
      button={
        <>
          <span className="options-name">{shown}</span>
          {choices.instructions && <span className="muted"> · {WORDS.withInstructions}</span>}
        </>
      }
    >
      {profiles.length > 1 && (
        <label>
          {WORDS.profile}
          <select
            value={profile?.name ?? ""}
            onChange={(event) => onChange({ profile: event.target.value, model: "" })}
          >
            {profiles.map((one) => (
              <option key={one.name} value={one.name}>
                {one.available ? one.name : WORDS.unavailable(one.name)}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {WORDS.model}
        <select value={model ?? ""} onChange={(event) => onChange({ model: event.target.value })}>
          <option value="">{WORDS.default(profile?.model ?? "")}</option>
          {[...unlisted, ...models].map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        {WORDS.instructions}
        <textarea
          rows={4}
          dir="auto"
          maxLength={100_000}
          placeholder={WORDS.instructionsHint}
          value={choices.instructions ?? ""}
          onChange={(event) => onChange({ instructions: event.target.value })}
        />
      </label>
      <p className="muted">{WORDS.note}</p>
    </Popover>
  );
}
