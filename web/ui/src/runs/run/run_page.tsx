import { useCallback, useEffect, type ReactNode } from "react";
import { useNow } from "../../chat/use_now";
import type { RunFigures } from "../../client/api.generated";
import type { SignedIn } from "../../sign_in/session";
import { firstToken, pace, took, waited } from "../list/figures";
import { addressOf, filtersOf, isOpen } from "../list/filters";
import { count, duration, moment, rate, short } from "../parts/formats";
import { Freshness, Pending } from "../parts/freshness";
import { Plot } from "../parts/plot";
import { readRun, readTimeline } from "../parts/runs_api";
import { StatusBadge } from "../parts/status_badge";
import { useGo } from "../parts/use_place";
import { usePolled } from "../parts/use_polled";
import { reasonWords, WORDS } from "../words";
import { Actions } from "./actions";
import { Events } from "./events";
import { paceOf } from "./pace";
import { Timeline } from "./timeline";
import { useLog } from "./use_log";

const EVERY = 2_000;

interface Props {
  readonly id: string;
  readonly who: SignedIn;
  readonly isOperator: boolean;
}

/** One run: what is known of it, its timeline, how its text came, its events. */
export function RunPage({ id, who, isOperator }: Props) {
  const askRun = useCallback((signal: AbortSignal) => readRun(id, signal), [id]);
  const polled = usePolled(askRun, EVERY);
  const run = polled.value;

  useEffect(() => {
    document.title = `${WORDS.run} ${short(id)} · Holdfast`;
  }, [id]);

  if (polled.failure?.status === 404) return <p className="empty">{WORDS.notFoundRun}</p>;
  if (run === undefined) return <Pending of={polled} />;
  const isOwn = run.owner === who.owner;
  return (
    <article className="run">
      <header className="run-head">
        <div className="run-title">
          <StatusBadge status={run.status} />
          <h2 title={run.run_id}>{run.run_id}</h2>
        </div>
        {(isOpen(run.status) || polled.failure) && <Freshness of={polled} />}
      </header>
      <Actions run={run} isAdmin={who.role === "admin"} isOwn={isOwn} onDone={polled.refresh} />
      <Facts run={run} isOperator={isOperator} ahead={polled.ahead} />
      <Story run={run} isOwn={isOwn} ahead={polled.ahead} />
    </article>
  );
}

function Facts({
  run,
  isOperator,
  ahead,
}: {
  run: RunFigures;
  isOperator: boolean;
  ahead: number;
}) {
  const follow = useGo();
  const now = useNow(1_000, isOpen(run.status)) / 1_000 + ahead;
  const { facts } = WORDS;
  const none = filtersOf(new URLSearchParams());
  const tokens = pace(run, now);
  const link = (changes: Parameters<typeof addressOf>[1], text: string) => (
    <a href={addressOf(none, changes)} onClick={follow}>
      {text}
    </a>
  );
  const rows: readonly (readonly [string, ReactNode])[] = [
    [facts.reason, reasonWords(run.reason)],
    [facts.position, run.queue_position],
    [facts.owner, isOperator ? link({ owner: run.owner }, run.owner) : run.owner],
    [
      facts.session,
      run.session_id === null ? WORDS.noSession : link({ session: run.session_id }, run.session_id),
    ],
    [facts.profile, link({ profile: run.profile }, run.profile)],
    [facts.model, run.model],
    [facts.worker, run.worker === null ? null : link({ worker: run.worker }, run.worker)],
    [facts.made, moment(run.created_at, now)],
    [facts.waited, duration(waited(run, now))],
    [facts.firstToken, duration(firstToken(run))],
    [facts.took, duration(took(run, now))],
    [facts.pace, tokens && `${tokens.isGuess ? "≈ " : ""}${rate(tokens.value)}`],
    [facts.tokens, run.output_tokens === null ? null : count(run.output_tokens)],
    [
      facts.attempts,
      run.takeovers ? `${run.attempts}, ${WORDS.takenOver(run.takeovers)}` : run.attempts,
    ],
  ];
  return (
    <dl className="facts">
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** What is read beside the run itself, again with each of its changes while it is live. */
function Story({ run, isOwn, ahead }: { run: RunFigures; isOwn: boolean; ahead: number }) {
  const isLive = isOpen(run.status);
  const { run_id: id } = run;
  const mark = `${run.status} ${run.takeovers}`;
  const ask = useCallback((signal: AbortSignal) => readTimeline(id, signal), [id]);
  const polled = usePolled(ask, isLive ? EVERY : undefined);
  const { refresh } = polled;
  useEffect(() => refresh(), [mark, refresh]);
  const log = useLog(id, isLive);
  const now = useNow(1_000, isLive) / 1_000 + ahead;
  const text = paceOf(log.entries);
  return (
    <>
      <section aria-label={WORDS.timeline}>
        <h3>{WORDS.timeline}</h3>
        {polled.value ? <Timeline timeline={polled.value} now={now} /> : <Pending of={polled} />}
      </section>
      {text.seconds.length > 1 && (
        <section className="plots" aria-label={WORDS.paceTitle}>
          <Plot
            title={WORDS.paceTitle}
            xs={text.seconds}
            series={[{ name: WORDS.paceTitle, color: "--plot-1", values: text.characters }]}
            format={rate}
            formatX={duration}
          />
          <Plot
            title={WORDS.gapTitle}
            xs={text.seconds}
            series={[{ name: WORDS.gapTitle, color: "--plot-2", values: text.gaps }]}
            format={duration}
            formatX={duration}
          />
        </section>
      )}
      <section aria-label={WORDS.events}>
        <h3>{WORDS.events}</h3>
        <Events log={log} isOwn={isOwn} />
      </section>
    </>
  );
}
