import type { QueueReport, WorkerFigures } from "../../client/api.generated";
import { addressOf, filtersOf } from "../list/filters";
import { age, duration } from "../parts/formats";
import { useGo } from "../parts/use_place";
import { WORDS } from "../words";

const NO_FILTERS = filtersOf(new URLSearchParams());

/** What waits and what is live, of each gateway. */
export function Queues({ queue }: { readonly queue: QueueReport }) {
  const { queueColumns: heads } = WORDS;
  const follow = useGo();
  return (
    <section aria-label={WORDS.queues}>
      <h3>{WORDS.queues}</h3>
      <div className="run-scroll" tabIndex={0} role="group" aria-label={WORDS.queues}>
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">{heads.profile}</th>
              {[heads.waiting, heads.live, heads.slots, heads.oldestWaiting, heads.oldestLive].map(
                (head) => (
                  <th key={head} scope="col" className="number">
                    {head}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {queue.profiles.map((one) => (
              <tr key={one.profile}>
                <th scope="row">
                  <a href={addressOf(NO_FILTERS, { profile: one.profile })} onClick={follow}>
                    {one.profile}
                  </a>
                </th>
                <td className="number">{one.waiting}</td>
                <td className="number">{one.live}</td>
                <td className="number">
                  {one.slots.total === null
                    ? WORDS.noLimit
                    : WORDS.ofTotal(one.slots.in_use, one.slots.total)}
                </td>
                <td className="number">{age(one.oldest_waiting)}</td>
                <td className="number">{age(one.oldest_live)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** The workers with what they hold. */
export function Workers({ workers }: { readonly workers: readonly WorkerFigures[] }) {
  const { workerColumns: heads } = WORDS;
  const follow = useGo();
  return (
    <section aria-label={WORDS.workers}>
      <h3>{WORDS.workers}</h3>
      {!workers.length && <p className="note note-needs">{WORDS.noWorkers}</p>}
      {workers.length > 0 && (
        <div className="run-scroll" tabIndex={0} role="group" aria-label={WORDS.workers}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{heads.worker}</th>
                <th scope="col">{heads.state}</th>
                <th scope="col" className="number">
                  {heads.slots}
                </th>
                <th scope="col" className="number">
                  {heads.leases}
                </th>
                <th scope="col" className="number">
                  {heads.next}
                </th>
              </tr>
            </thead>
            <tbody>
              {workers.map((one) => (
                <tr key={one.worker} data-worker={one.worker}>
                  <th scope="row">
                    <a href={addressOf(NO_FILTERS, { worker: one.worker })} onClick={follow}>
                      {one.worker}
                    </a>
                  </th>
                  <td className={needsSomebody(one) ? "needs" : undefined}>{stateWords(one)}</td>
                  <td className="number">
                    {one.slots === null ? WORDS.unknown : WORDS.ofTotal(one.live, one.slots)}
                  </td>
                  <td className="number">{one.live}</td>
                  <td className={lapsed(one) ? "number needs" : "number"}>{nextLease(one)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p className="muted">{WORDS.workerHelp}</p>
    </section>
  );
}

function lapsed(worker: WorkerFigures): boolean {
  return worker.leases.some((one) => one.ends_in !== null && one.ends_in < 0);
}

function needsSomebody(worker: WorkerFigures): boolean {
  return worker.reported === null || lapsed(worker);
}

function stateWords(worker: WorkerFigures): string {
  const { workerStates: states } = WORDS;
  if (lapsed(worker)) return states.lapsed;
  if (worker.reported === null) return states.silent;
  if (worker.draining) return states.draining;
  return worker.slots !== null && worker.live >= worker.slots ? states.full : states.ready;
}

function nextLease(worker: WorkerFigures): string {
  const left = worker.leases[0]?.ends_in;
  if (left === null || left === undefined) return WORDS.none;
  return left < 0 ? WORDS.lapsedSince(age(-left)) : duration(left);
}
