/** What a run's times and counts amount to. Pure; seconds. */
import type { RunFigures } from "../../client/api.generated";
import { isOpen } from "./filters";

const CHARACTERS = 4; // about so many make a token

/** Until a worker had it; of a run that waits, so far. */
export function waited(run: RunFigures, now: number): number | undefined {
  if (run.claimed_at !== null) return Math.max(0, run.claimed_at - run.created_at);
  return run.status === "queued" ? Math.max(0, now - run.created_at) : undefined;
}

export function firstToken(run: RunFigures): number | undefined {
  return run.first_token_at === null ? undefined : Math.max(0, run.first_token_at - run.created_at);
}

/** Tokens a second. `isGuess`: from characters, since the gateway counts at the end. */
export function pace(
  run: RunFigures,
  now: number,
): { value: number; isGuess: boolean } | undefined {
  if (run.first_token_at === null) return undefined;
  const over = (run.ended_at ?? now) - run.first_token_at;
  if (over < 0.05) return undefined;
  if (isOpen(run.status))
    return run.characters === null
      ? undefined
      : { value: run.characters / CHARACTERS / over, isGuess: true };
  return run.output_tokens === null
    ? undefined
    : { value: run.output_tokens / over, isGuess: false };
}

/** From the first claim until the end, or until now. */
export function took(run: RunFigures, now: number): number | undefined {
  return run.claimed_at === null ? undefined : Math.max(0, (run.ended_at ?? now) - run.claimed_at);
}
