import { useState } from "react";
import type { RunFigures } from "../../client/api.generated";
import { isOpen } from "../list/filters";
import { retryRun, stopRun } from "../parts/runs_api";
import { useGo } from "../parts/use_place";
import { WORDS } from "../words";

interface Props {
  readonly run: RunFigures;
  readonly isAdmin: boolean;
  readonly isOwn: boolean;
  readonly onDone: () => void;
}

/** Stop, which is asked twice, and run again. Nothing is shown that the server would refuse. */
export function Actions({ run, isAdmin, isOwn, onDone }: Props) {
  const follow = useGo();
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<string>();
  const [failure, setFailure] = useState<string>();
  const [again, setAgain] = useState<string>();
  const canStop = (isAdmin || isOwn) && isOpen(run.status) && run.status !== "stopping";
  const canRetry = isAdmin && (run.status === "failed" || run.status === "interrupted");

  const perform = async (work: () => Promise<void>) => {
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
      onDone();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
      setAsking(false);
    }
  };
  const stop = () =>
    perform(async () => {
      const { value } = await stopRun(run.run_id, isAdmin);
      setSaid(value.status === "cancelled" ? WORDS.stopped : WORDS.stopping);
    });
  const retry = () =>
    perform(async () => {
      const { value } = await retryRun(run.run_id);
      setAgain(value.run_id);
    });

  return (
    <div className="actions">
      {canStop && !isAsking && (
        <button type="button" className="button" onClick={() => setAsking(true)}>
          {WORDS.stop}
        </button>
      )}
      {canStop && isAsking && (
        <span className="ask" role="group" aria-label={WORDS.stop}>
          {WORDS.stopAsk}{" "}
          <button
            type="button"
            className="button button-needs"
            disabled={isBusy}
            onClick={() => void stop()}
            autoFocus
          >
            {WORDS.stopYes}
          </button>
          <button type="button" className="button" onClick={() => setAsking(false)}>
            {WORDS.no}
          </button>
        </span>
      )}
      {canRetry && again === undefined && (
        <button type="button" className="button" disabled={isBusy} onClick={() => void retry()}>
          {WORDS.retry}
        </button>
      )}
      {isOwn && run.session_id !== null && (
        <a className="button" href={`/?s=${encodeURIComponent(run.session_id)}`}>
          {WORDS.conversation}
        </a>
      )}
      <p role="status" className="muted">
        {said}
        {again !== undefined && (
          <>
            {WORDS.retried}{" "}
            <a href={`/runs/${encodeURIComponent(again)}`} onClick={follow}>
              {again}
            </a>
          </>
        )}
      </p>
      {failure !== undefined && (
        <p className="note note-needs" role="alert">
          {failure}
        </p>
      )}
    </div>
  );
}
