import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { QueueReport, RunStatsReport, Slots } from "../../client/api.generated";
import { age, count } from "../parts/formats";
import { Freshness, Pending } from "../parts/freshness";
import { readQueue, runStats, type Window } from "../parts/runs_api";
import { useGo, type Place } from "../parts/use_place";
import { usePolled } from "../parts/use_polled";
import { WORDS } from "../words";
import { Deletions } from "./deletions";
import { Plots } from "./plots";
import { Queues, Workers } from "./queue_tables";

const QUEUE_EVERY = 3_000;
const STATS_EVERY: Record<Window, number> = { hour: 10_000, day: 60_000, week: 180_000 };
const WINDOWS = ["hour", "day", "week"] as const;

interface Props {
  readonly place: Place;
  readonly isOperator: boolean;
  readonly isAdmin: boolean;
}

/** How all of it is doing: figures of now, plots, queues, workers, parked deletions. */
export function OverviewPage({ place, isOperator, isAdmin }: Props) {
  const chosen = place.query.get("window");
  const window = WINDOWS.find((one) => one === chosen) ?? "hour";
  const queue = usePolled(readQueue, QUEUE_EVERY);
  const ask = useCallback((signal: AbortSignal) => runStats(window, signal), [window]);
  const stats = usePolled(ask, STATS_EVERY[window]);
  const kept = useKept(stats.value);

  useEffect(() => {
    document.title = `${WORDS.overview} · Holdfast`;
  }, []);

  return (
    <div className="overview">
      <header className="run-head">
        <h2>{WORDS.overview}</h2>
        <Freshness of={queue} />
      </header>
      {queue.value ? (
        <Figures queue={queue.value} isOperator={isOperator} />
      ) : (
        <Pending of={queue} />
      )}
      <WindowTabs window={window} />
      {kept ? (
        <div className={kept.window === window ? undefined : "is-before"}>
          <Plots stats={kept} />
        </div>
      ) : (
        <Pending of={stats} />
      )}
      {kept && stats.failure && <Freshness of={stats} />}
      {kept?.complete === false && <p className="muted">{WORDS.notComplete}</p>}
      {queue.value && <Queues queue={queue.value} />}
      {queue.value?.worker_list && <Workers workers={queue.value.worker_list} />}
      {isAdmin && <Deletions />}
      {!isAdmin && (queue.value?.parked_deletions?.count ?? 0) > 0 && (
        <p className="muted">
          {WORDS.deletionsForAdmins(queue.value?.parked_deletions?.count ?? 0)}
        </p>
      )}
      {queue.value?.flower_url != null && (
        <p>
          <a href={queue.value.flower_url} rel="noreferrer">
            {WORDS.flower}
          </a>
        </p>
      )}
    </div>
  );
}

function WindowTabs({ window }: { window: Window }) {
  const follow = useGo();
  return (
    <nav className="chips" aria-label={WORDS.window}>
      {WINDOWS.map((one) => (
        <a
          key={one}
          className={one === window ? "chip chip-on" : "chip"}
          href={one === "hour" ? "/runs/overview" : `/runs/overview?window=${one}`}
          aria-current={one === window ? "true" : undefined}
          onClick={follow}
        >
          {WORDS.windows[one]}
        </a>
      ))}
    </nav>
  );
}

function Figures({ queue, isOperator }: { queue: QueueReport; isOperator: boolean }) {
  const { parked_deletions: parked } = queue;
  return (
    <dl className="figures">
      <Figure name={WORDS.waiting} value={count(queue.waiting)}>
        {queue.oldest_waiting !== null && WORDS.oldestWaiting(age(queue.oldest_waiting))}
      </Figure>
      <Figure name={WORDS.liveRuns} value={count(queue.live)}>
        {queue.oldest_live !== null && WORDS.oldestWaiting(age(queue.oldest_live))}
      </Figure>
      {isOperator && (
        <>
          <Figure name={WORDS.workerSlots} value={slotsText(queue.worker_slots)}>
            {queue.worker_slots?.total === null && queue.worker_list?.length
              ? WORDS.slotsUnknown
              : null}
          </Figure>
          <Figure name={WORDS.gatewaySlots} value={slotsText(queue.slots)}>
            {queue.slots.total === null && WORDS.noLimit}
          </Figure>
          <Figure
            name={WORDS.parked}
            value={count(parked?.count ?? 0)}
            isBad={(parked?.count ?? 0) > 0}
          >
            {parked?.oldest != null && WORDS.oldestWaiting(age(parked.oldest))}
          </Figure>
        </>
      )}
    </dl>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children?: ReactNode;
}

function Figure({ name, value, isBad = false, children }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong className={isBad ? "needs" : undefined}>{value}</strong>
        <span className="muted">{children}</span>
      </dd>
    </div>
  );
}

function slotsText(slots: Slots | null): string {
  if (slots === null) return WORDS.unknown;
  return slots.total === null ? count(slots.in_use) : WORDS.ofTotal(slots.in_use, slots.total);
}

/** The plots before stay, paler, until those of another window are read. */
function useKept(stats: RunStatsReport | undefined): RunStatsReport | undefined {
  const [kept, setKept] = useState(stats);
  useEffect(() => {
    if (stats) setKept(stats);
  }, [stats]);
  return stats ?? kept;
}
