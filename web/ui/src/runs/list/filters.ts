/** The filters of the list, as they stand in the address. Pure. */
import type { RunFigures } from "../../client/api.generated";
import type { Status } from "../parts/runs_api";

export const STATUSES = [
  "queued",
  "running",
  "stopping",
  "completed",
  "failed",
  "interrupted",
  "cancelled",
] as const satisfies readonly Status[];
export type ListedStatus = (typeof STATUSES)[number];
const OPEN: readonly Status[] = ["queued", "running", "stopping", "waiting_for_approval"];

export const PERIODS = ["hour", "day", "week"] as const;
export type Period = (typeof PERIODS)[number];
const SECONDS: Record<Period, number> = { hour: 3_600, day: 86_400, week: 7 * 86_400 };

export interface Filters {
  readonly status: ListedStatus | undefined;
  readonly profile: string | undefined;
  readonly owner: string | undefined;
  readonly reason: string | undefined;
  readonly worker: string | undefined;
  readonly session: string | undefined;
  readonly period: Period;
  readonly cursor: string | undefined;
}

export function isOpen(status: Status): boolean {
  return OPEN.includes(status);
}

export function filtersOf(query: URLSearchParams): Filters {
  const given = (name: string) => query.get(name) || undefined;
  return {
    status: STATUSES.find((one) => one === query.get("status")),
    profile: given("profile"),
    owner: given("owner"),
    reason: given("reason"),
    worker: given("worker"),
    session: given("session"),
    period: PERIODS.find((one) => one === query.get("period")) ?? "day",
    cursor: given("cursor"),
  };
}

/** The address of the list with these filters; a change of filters begins at the newest run. */
export function addressOf(filters: Filters, changes: Partial<Filters> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...filters, cursor: undefined, ...changes }))
    if (value !== undefined && value !== "" && !(name === "period" && value === "day"))
      query.set(name, value);
  const text = query.toString();
  return text ? `/runs?${text}` : "/runs";
}

export function isFiltered(filters: Filters): boolean {
  const { period: _period, cursor: _cursor, ...others } = filters;
  return Object.values(others).some((value) => value !== undefined);
}

/** From when on runs are shown, in epoch seconds; open ones however old they are. */
export function sinceOf(filters: Filters, now: number): number | undefined {
  if (filters.status && isOpen(filters.status)) return undefined;
  return Math.floor((now - SECONDS[filters.period]) / 60) * 60;
}

/** What a live list shows next. */
export interface Shown {
  readonly runs: readonly RunFigures[];
  /** Newer runs that are not shown yet. */
  readonly held: number;
  /** Runs that the list would not have any longer. */
  readonly gone: ReadonlySet<string>;
}

/**
 * The rows after a new answer. `isHeld`: somebody reads or uses the rows, so that they keep their
 * places: only what they say changes.
 */
export function nextRows(
  before: Shown | undefined,
  fresh: readonly RunFigures[],
  isHeld: boolean,
): Shown {
  if (!isHeld || !before?.runs.length) return { runs: fresh, held: 0, gone: new Set() };
  const byId = new Map(fresh.map((run) => [run.run_id, run]));
  const shown = new Set(before.runs.map((run) => run.run_id));
  const first = before.runs[0]?.created_at ?? 0;
  const last = fresh.at(-1)?.created_at ?? Infinity;
  return {
    runs: before.runs.map((run) => byId.get(run.run_id) ?? run),
    held: fresh.filter((run) => !shown.has(run.run_id) && run.created_at >= first).length,
    gone: new Set(
      before.runs
        .filter((run) => !byId.has(run.run_id) && run.created_at >= last)
        .map((run) => run.run_id),
    ),
  };
}
