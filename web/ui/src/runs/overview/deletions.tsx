import { useState } from "react";
import { Pending } from "../parts/freshness";
import { age } from "../parts/formats";
import { readDeletions, retryDeletions } from "../parts/runs_api";
import { usePolled } from "../parts/use_polled";
import { WORDS } from "../words";

const EVERY = 15_000;

/** Deletions that were given up, for administrators, who can have them tried again. */
export function Deletions() {
  const polled = usePolled(readDeletions, EVERY);
  const [said, setSaid] = useState<string>();
  const [failure, setFailure] = useState<string>();
  const { deletionColumns: heads } = WORDS;
  const rows = polled.value?.data ?? [];
  const now = polled.readAt + polled.ahead;

  const retry = async (profile: string) => {
    setFailure(undefined);
    try {
      const { value } = await retryDeletions(profile);
      setSaid(WORDS.retriedDeletions(value.retried));
      polled.refresh();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };

  return (
    <section aria-label={WORDS.deletions}>
      <h3>{WORDS.deletions}</h3>
      <p className="muted">{WORDS.deletionsHelp}</p>
      {polled.value === undefined && <Pending of={polled} />}
      {polled.value && !rows.length && <p>{WORDS.noDeletions}</p>}
      {rows.length > 0 && (
        <>
          <p className="actions">
            {[...new Set(rows.map((one) => one.profile))].map((profile) => (
              <button
                key={profile}
                type="button"
                className="button"
                onClick={() => void retry(profile)}
              >
                {WORDS.retryAll(profile)}
              </button>
            ))}
          </p>
          <div className="run-scroll" tabIndex={0} role="group" aria-label={WORDS.deletions}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{heads.profile}</th>
                  <th scope="col">{heads.session}</th>
                  <th scope="col" className="number">
                    {heads.tries}
                  </th>
                  <th scope="col">{heads.error}</th>
                  <th scope="col" className="number">
                    {heads.since}
                  </th>
                </tr>
              </thead>
              <tbody>
                {rows.map((one) => (
                  <tr key={`${one.profile} ${one.session_id}`}>
                    <td>{one.profile}</td>
                    <td>{one.session_id}</td>
                    <td className="number">{one.attempts}</td>
                    <td>{one.error}</td>
                    <td className="number">{age(now - one.parked_at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
      <p role="status" className="muted">
        {said}
      </p>
      {failure !== undefined && (
        <p className="note note-needs" role="alert">
          {failure}
        </p>
      )}
    </section>
  );
}
