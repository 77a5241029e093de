import type { SessionView } from "../client";
import type { ProfileEntry, SessionInfo } from "../client/api.generated";
import { costOf } from "./chat_api";
import { Popover } from "./popover";
import { dollars, METER as WORDS, number } from "./words";

interface Props {
  readonly view: SessionView;
  readonly info: SessionInfo | undefined;
  readonly profile: ProfileEntry | undefined;
}

/** What workers reckon with if a profile does not say how much its model takes. */
const ASSUMED = 200_000;

/** How full the context of the model is, as a ring; numbers in its title, and in a table. */
export function ContextMeter({ view, info, profile }: Props) {
  const used = view.inputTokens;
  const size = profile?.context_length ?? ASSUMED;
  const share = Math.min(100, Math.round((100 * used) / size));
  const cost = info && costOf(info);
  if (!used && !info?.output_tokens) return null;
  const said = WORDS.context(number(used), number(size), share);
  return (
    <Popover
      className="meter"
      title={said}
      label={said}
      button={
        <>
          <svg viewBox="0 0 36 36" aria-hidden="true">
            <circle className="meter-all" cx="18" cy="18" r="15" pathLength="100" />
            <circle
              className={share > 80 ? "meter-used meter-full" : "meter-used"}
              cx="18"
              cy="18"
              r="15"
              pathLength="100"
              strokeDasharray={`${share} 100`}
            />
          </svg>
          <span className="meter-share">{share} %</span>
        </>
      }
    >
      <p>{said}</p>
      <p className="muted">
        {WORDS.summarized(number(size / 2))}
        {profile?.context_length == null && ` ${WORDS.assumed}`}
      </p>
      {info && (
        <p>
          {WORDS.session(number(info.input_tokens), number(info.output_tokens))}
          {cost !== undefined && ` · ${dollars(cost)}`}
        </p>
      )}
    </Popover>
  );
}
