/** Sessions by day. Pure. */
import type { KnownSession } from "./known_sessions";

export interface DayGroup {
  readonly name: string;
  readonly sessions: readonly KnownSession[];
}

const DAY = 86_400_000;

/** Groups in the order of the sessions, which are newest first. A clock that is wrong puts all
 * sessions of the future under today. */
export function groupsOf(sessions: readonly KnownSession[], now: Date): DayGroup[] {
  const groups = new Map<string, KnownSession[]>();
  for (const session of sessions) {
    const name = nameOf(session.at, now);
    groups.set(name, [...(groups.get(name) ?? []), session]);
  }
  return [...groups].map(([name, all]) => ({ name, sessions: all }));
}

function nameOf(at: number, now: Date): string {
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (at >= today) return "Today";
  if (at >= today - DAY) return "Yesterday";
  if (at >= today - 7 * DAY) return "This week";
  return at >= today - 30 * DAY ? "This month" : "Older";
}
