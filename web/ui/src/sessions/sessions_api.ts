/** `/api/sessions` and `/api/runs`, as far as the list of sessions uses them. */
import type { SessionAnswer, SessionChangesBody, SessionList } from "../client/api.generated";
import { refusal } from "../languages/refusals";
import { words } from "./words";

/** The server refused it, or did not answer; the message is for people. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Which sessions are listed. */
export type Shown = "active" | "archived" | { readonly workspace: string };

interface Deleted {
  readonly data: readonly { id: string; deleted: boolean; error: string | null }[];
}

interface Runs {
  readonly data: readonly { session_id: string | null }[];
}

const PAGE = 50;
/** On a connection that has died unnoticed no answer ever comes; the next request takes another. */
const WITHIN = 10_000;
const DELETED_AT_ONCE = 100;

interface Reading {
  readonly cursor?: string | undefined;
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined;
}

/** A page of the sessions; a search looks at archived ones too. */
export function listSessions(
  search: string,
  shown: Shown,
  { cursor, signal }: Reading = {},
): Promise<SessionList> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (search) query.set("q", search);
  if (search && shown === "active") query.set("archived", "any");
  if (shown === "archived") query.set("archived", "true");
  if (typeof shown === "object") query.set("workspace", shown.workspace);
  if (cursor !== undefined) query.set("cursor", cursor);
  return ask<SessionList>("GET", `sessions?${query.toString()}`, { signal });
}

export function changeSession(id: string, changes: SessionChangesBody): Promise<SessionAnswer> {
  return ask<SessionAnswer>("PATCH", `sessions/${encodeURIComponent(id)}`, { body: changes });
}

/** Delete at most a hundred sessions. Those that are gone already count as deleted; the others are
 * returned, id -> why not. It is sent also while the page is being closed. */
export async function deleteSessions(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const body = { ids: ids.slice(0, DELETED_AT_ONCE) };
  const said = await ask<Deleted>("POST", "sessions/delete", { body });
  const kept = said.data.filter((one) => !one.deleted && one.error !== "session_not_found");
  return new Map(kept.map((one) => [one.id, one.error ?? ""]));
}

/** The sessions of this owner in which a run is live, the newest first. */
export async function liveSessions(
  owner: string,
  most: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const query = new URLSearchParams({ status: "running", owner, limit: String(most) });
  const { data } = await ask<Runs>("GET", `runs?${query.toString()}`, { signal });
  return data.flatMap((run) => (run.session_id === null ? [] : [run.session_id]));
}

interface Options {
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
}

async function ask<T>(method: string, path: string, { body, signal }: Options = {}): Promise<T> {
  const tooLong = AbortSignal.timeout(WITHIN);
  let answer: Response;
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      signal: signal ? AbortSignal.any([tooLong, signal]) : tooLong,
      keepalive: method === "POST",
      ...(body && {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    });
  } catch {
    throw new Refused(words().unreachable);
  }
  const said = (await answer.json().catch(() => undefined)) as
    { error?: { code?: string; message?: string } } | undefined;
  if (!answer.ok) {
    const { code, message } = said?.error ?? {};
    throw new Refused(refusal(code, message ?? words().status(answer.status)));
  }
  if (said === undefined) throw new Refused(words().unreachable);
  return said as T;
}
