/** The loaded part of a list of sessions when its first page was read again. Pure. */
import type { ListedSession } from "../client/api.generated";

/** The new first page, and of what was loaded before all that comes behind it. */
export function merged(
  loaded: readonly ListedSession[],
  first: readonly ListedSession[],
  hasMore: boolean,
): readonly ListedSession[] {
  const last = first.at(-1);
  if (!hasMore || !last) return first;
  const known = new Set(first.map((one) => one.id));
  const rest = loaded.filter((one) => !known.has(one.id) && isBehind(one, last));
  return rest.length ? [...first, ...rest] : first;
}

/** The order of the server: pinned ones first, then those of the latest activity, then by id. */
export function isBehind(one: ListedSession, other: ListedSession): boolean {
  if (one.pinned !== other.pinned) return other.pinned;
  if (one.last_active !== other.last_active) return one.last_active < other.last_active;
  return one.id < other.id;
}
