/** `/api/runs`, `/api/queue` and `/api/deletions`, as this room uses them. */
import type {
  DeletionPage,
  QueueReport,
  RetriedDeletions,
  RetriedRun,
  RunCountsReport,
  RunFigures,
  RunLogPage,
  RunPage,
  RunStatsReport,
  RunTimeline,
  StoppedByAdmin,
} from "../../client/api.generated";
import { refusal } from "../../languages/refusals";
import { WORDS } from "../words";

export type Status = RunFigures["status"];
export type Window = RunStatsReport["window"];

/** An answer, and how far the server's clock is ahead of this one, in seconds. */
export interface Answered<T> {
  readonly value: T;
  readonly ahead: number;
}

/** The server refused it, or did not answer; the message is for people. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | undefined>;

export const listRuns = (query: Query, signal: AbortSignal) =>
  ask<RunPage>("GET", `/api/runs${search(query)}`, { signal });
export const countRuns = (query: Query, signal: AbortSignal) =>
  ask<RunCountsReport>("GET", `/api/runs/counts${search(query)}`, { signal });
export const runStats = (window: Window, signal: AbortSignal) =>
  ask<RunStatsReport>("GET", `/api/runs/stats${search({ window })}`, { signal });
export const readRun = (id: string, signal: AbortSignal) =>
  ask<RunFigures>("GET", `/api/runs/${encodeURIComponent(id)}`, { signal });
export const readTimeline = (id: string, signal: AbortSignal) =>
  ask<RunTimeline>("GET", `/api/runs/${encodeURIComponent(id)}/timeline`, { signal });
export const readLog = (id: string, after: number, signal: AbortSignal) =>
  ask<RunLogPage>(
    "GET",
    `/api/runs/${encodeURIComponent(id)}/log${search({ after, limit: 1000 })}`,
    { signal },
  );
export const readQueue = (signal: AbortSignal) => ask<QueueReport>("GET", "/api/queue", { signal });
export const readDeletions = (signal: AbortSignal) =>
  ask<DeletionPage>("GET", `/api/deletions${search({ limit: 50 })}`, { signal });

/** Administrators stop the run of anybody, others only their own. */
export const stopRun = (id: string, isAdmin: boolean) =>
  ask<StoppedByAdmin>("POST", `${isAdmin ? "/api" : "/v1"}/runs/${encodeURIComponent(id)}/stop`);
export const retryRun = (id: string) =>
  ask<RetriedRun>("POST", `/api/runs/${encodeURIComponent(id)}/retry`);
export const retryDeletions = (profile: string) =>
  ask<RetriedDeletions>("POST", "/api/deletions/retry", { body: { profile } });

function search(query: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") given.set(name, String(value));
  const text = given.toString();
  return text && `?${text}`;
}

interface Options {
  readonly signal?: AbortSignal;
  readonly body?: object;
}

async function ask<T>(method: string, path: string, options: Options = {}): Promise<Answered<T>> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      ...(options.signal && { signal: options.signal }),
      ...(options.body && {
        body: JSON.stringify(options.body),
        headers: { "Content-Type": "application/json" },
      }),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(WORDS.unreachable, 0);
  }
  const said = (await answer.json().catch(() => undefined)) as
    { error?: { code?: string; message?: string } } | undefined;
  options.signal?.throwIfAborted();
  if (!answer.ok) {
    const { code, message } = said?.error ?? {};
    throw new Refused(refusal(code, message ?? WORDS.status(answer.status)), answer.status);
  }
  if (said === undefined) throw new Refused(WORDS.cutOff, 0);
  const date = Date.parse(answer.headers.get("Date") ?? "");
  const ahead = Number.isNaN(date) ? 0 : (date - Date.now()) / 1_000;
  // The header has whole seconds: a difference within one says nothing.
  return { value: said as T, ahead: Math.abs(ahead) < 1.5 ? 0 : ahead };
}
