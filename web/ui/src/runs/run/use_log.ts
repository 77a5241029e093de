import { useEffect, useReducer } from "react";
import type { LogEntry, RunLogPage } from "../../client/api.generated";
import { readLog } from "../parts/runs_api";

const MOST = 20_000; // events that are kept here, the newest
const EVERY = 2_000;

/** What of a run's log was read so far. */
export interface LogSoFar {
  readonly page: RunLogPage | undefined;
  readonly entries: readonly LogEntry[];
}

/** Reads the log page by page, then what is new while the run is live and the tab is seen. */
export function useLog(runId: string, isLive: boolean): LogSoFar {
  const [log, add] = useReducer(added, { page: undefined, entries: [] });
  const head = log.entries.at(-1)?.seq ?? 0;
  const { page } = log;

  useEffect(() => {
    const control = new AbortController();
    const isAll = page !== undefined && !page.has_more;
    if (isAll && !isLive) return;
    const read = () => {
      if (document.hidden) {
        timer = setTimeout(read, EVERY);
        return;
      }
      readLog(runId, head, control.signal).then(
        (answered) => add(answered.value),
        () => {
          if (!control.signal.aborted) timer = setTimeout(read, 2 * EVERY);
        },
      );
    };
    let timer = setTimeout(read, isAll ? EVERY : 0);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [runId, page, head, isLive]);
  return log;
}

function added(before: LogSoFar, page: RunLogPage): LogSoFar {
  if (!page.available) return { page, entries: before.entries };
  const known = before.page?.epoch ?? null;
  if (known !== null && known !== page.epoch)
    return { page: { ...page, has_more: true }, entries: [] }; // its numbers begin anew
  return { page, entries: [...before.entries, ...page.data].slice(-MOST) };
}
