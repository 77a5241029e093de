/** Sessions by day. Pure. */
import type { ListedSession } from "../client/api.generated";

export interface DayGroup {
  readonly name: string;
  readonly sessions: readonly ListedSession[];
}

const DAY = 86_400_000;

/** Groups in the order of the sessions, pinned ones apart. A clock that is wrong puts all sessions of
 * the future under today. */
export function groupsOf(sessions: readonly ListedSession[], now: Date): DayGroup[] {
  const groups = new Map<string, ListedSession[]>();
  for (const session of sessions) {
    const name = session.pinned ? "Pinned" : nameOf(session.last_active * 1_000, now);
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
