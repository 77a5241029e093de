/** Sessions by day. Pure, but for the language of the names. */
import type { ListedSession } from "../client/api.generated";
import { month, weekday } from "../languages/formats";
import { words } from "./words";

/** A line of the list: the name of a day, or a session. */
export type Line =
  | { readonly kind: "day"; readonly name: string }
  | { readonly kind: "session"; readonly session: ListedSession };

/** The sessions in their order, each day with its name before it, pinned ones apart. A clock that is
 * wrong puts all sessions of the future under today. */
export function linesOf(sessions: readonly ListedSession[], now: Date): Line[] {
  const lines: Line[] = [];
  let before: string | undefined;
  for (const session of sessions) {
    const name = session.pinned ? words().pinned : dayOf(session.last_active * 1_000, now);
    if (name !== before) lines.push({ kind: "day", name });
    before = name;
    lines.push({ kind: "session", session });
  }
  return lines;
}

/** Today, yesterday, a day of the last week, else the month. */
export function dayOf(at: number, now: Date): string {
  const daysAgo = (count: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - count).getTime();
  if (at >= daysAgo(0)) return words().today;
  if (at >= daysAgo(1)) return words().yesterday;
  return at >= daysAgo(6) ? weekday(at) : month(at);
}
