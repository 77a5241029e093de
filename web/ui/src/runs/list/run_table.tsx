import type { KeyboardEvent } from "react";
import type { RunFigures } from "../../client/api.generated";
import { age, duration, moment, rate, short } from "../parts/formats";
import { StatusBadge } from "../parts/status_badge";
import { useGo } from "../parts/use_place";
import { reasonWords, WORDS } from "../words";
import { firstToken, pace, waited } from "./figures";

interface Props {
  readonly runs: readonly RunFigures[];
  readonly gone: ReadonlySet<string>;
  /** Epoch seconds, by the server's clock. */
  readonly now: number;
  readonly isOperator: boolean;
}

/** The runs. On narrow screens each is a card; the roles are written out so that it stays a table. */
export function RunTable({ runs, gone, now, isOperator }: Props) {
  const { columns, columnHelp } = WORDS;
  const heads: readonly (keyof typeof columns)[] = [
    "state",
    "session",
    ...(isOperator ? (["owner"] as const) : []),
    "profile",
    "made",
    "waited",
    "firstToken",
    "pace",
    ...(isOperator ? (["worker"] as const) : []),
    "attempt",
    "reason",
  ];
  return (
    <table className="run-table" role="table" aria-label={WORDS.title}>
      <thead role="rowgroup">
        <tr role="row">
          {heads.map((name) => (
            <th
              key={name}
              role="columnheader"
              scope="col"
              className={isNumber(name) ? "number" : undefined}
              title={name in columnHelp ? columnHelp[name as keyof typeof columnHelp] : undefined}
            >
              {columns[name]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" onKeyDown={moveFocus}>
        {runs.map((run) => (
          <Row
            key={run.run_id}
            run={run}
            isGone={gone.has(run.run_id)}
            now={now}
            isOperator={isOperator}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  run,
  isGone,
  now,
  isOperator,
}: {
  run: RunFigures;
  isGone: boolean;
  now: number;
  isOperator: boolean;
}) {
  const follow = useGo();
  const { columns } = WORDS;
  const tokens = pace(run, now);
  const wait = waited(run, now);
  const isWaiting = run.status === "queued";
  return (
    <tr role="row" className={isGone ? "gone" : undefined} data-run={run.run_id}>
      <td role="cell" className="cell-state">
        <StatusBadge status={run.status} />
        {isGone && <span className="muted"> {WORDS.gone}</span>}
      </td>
      <td role="cell" className="cell-session">
        <a href={`/runs/${encodeURIComponent(run.run_id)}`} onClick={follow} title={run.run_id}>
          {run.session_id === null ? WORDS.noSession : short(run.session_id)}
        </a>
      </td>
      {isOperator && (
        <td role="cell" data-label={columns.owner} className="cell-text" title={run.owner}>
          {short(run.owner)}
        </td>
      )}
      <td role="cell" data-label={columns.profile} className="cell-text" title={run.profile}>
        {short(run.profile)}
      </td>
      <td role="cell" data-label={columns.made}>
        {moment(run.created_at, now)}
      </td>
      <td role="cell" data-label={columns.waited} className={isWaiting ? "number waits" : "number"}>
        {isWaiting ? age(wait) : duration(wait)}
        {run.queue_position !== null && <span className="muted"> no. {run.queue_position}</span>}
      </td>
      <td role="cell" data-label={columns.firstToken} className="number">
        {duration(firstToken(run))}
      </td>
      <td role="cell" data-label={columns.pace} className="number">
        {tokens ? `${tokens.isGuess ? "≈ " : ""}${rate(tokens.value)}` : WORDS.none}
      </td>
      {isOperator && (
        <td
          role="cell"
          data-label={columns.worker}
          className="cell-text"
          title={run.worker ?? undefined}
        >
          {run.worker === null ? WORDS.none : short(run.worker)}
        </td>
      )}
      <td role="cell" data-label={columns.attempt} className="number">
        {run.attempts}
        {run.takeovers > 0 && <span className="needs">, {WORDS.takenOver(run.takeovers)}</span>}
      </td>
      <td role="cell" data-label={columns.reason} className="cell-reason">
        {reasonWords(run.reason)}
      </td>
    </tr>
  );
}

function isNumber(name: keyof typeof WORDS.columns): boolean {
  return name === "waited" || name === "firstToken" || name === "pace" || name === "attempt";
}

/** Arrow keys, Home and End go from link to link. */
function moveFocus(event: KeyboardEvent<HTMLTableSectionElement>): void {
  const links = [...event.currentTarget.querySelectorAll("a")];
  const at = links.findIndex((one) => one === document.activeElement);
  const targets: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: links.length - 1,
  };
  const target = targets[event.key];
  if (target === undefined || at < 0) return;
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, target))]?.focus();
}
