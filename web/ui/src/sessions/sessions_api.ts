/** `/api/sessions`, as far as the page uses it. */
import type { SessionAnswer, SessionChangesBody, SessionList } from "../client/api.generated";

/** The server refused it, or did not answer; the message is for people. */
export class Refused extends Error {
  override readonly name = "Refused";
}

const PAGE = 50;

export function listSessions(search: string, cursor?: string): Promise<SessionList> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (search) query.set("q", search);
  if (search) query.set("archived", "any");
  if (cursor !== undefined) query.set("cursor", cursor);
  return ask<SessionList>("GET", `?${query.toString()}`);
}

export function changeSession(id: string, changes: SessionChangesBody): Promise<SessionAnswer> {
  return ask<SessionAnswer>("PATCH", `/${encodeURIComponent(id)}`, changes);
}

/** It is sent also while the page is being closed. */
export function deleteSession(id: string): Promise<unknown> {
  return ask("DELETE", `/${encodeURIComponent(id)}`);
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/sessions${path}`, {
      method,
      keepalive: method === "DELETE",
      ...(body && {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    });
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  const said = (await answer.json().catch(() => ({}))) as { error?: { message?: string } };
  if (!answer.ok) throw new Refused(said.error?.message ?? `The server says ${answer.status}.`);
  return said as T;
}
