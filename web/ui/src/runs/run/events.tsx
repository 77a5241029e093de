import { clock, count } from "../parts/formats";
import { WORDS } from "../words";
import type { LogSoFar } from "./use_log";

const SHOWN = 200;

/** The events of the log: types and times, and for the owner what is in them. */
export function Events({ log, isOwn }: { readonly log: LogSoFar; readonly isOwn: boolean }) {
  const { page, entries } = log;
  const { eventColumns: heads } = WORDS;
  if (page === undefined) return <p className="muted">{WORDS.loading}.</p>;
  if (!entries.length)
    return <p className="muted">{page.available || !page.ended ? WORDS.noText : WORDS.noLog}</p>;
  return (
    <>
      <p className="muted">
        {entries.length > SHOWN && `${WORDS.newestEvents(SHOWN)} `}
        {page.first !== null && page.first > 1 && `${WORDS.fromCheckpoint(page.first)} `}
        {!isOwn && WORDS.noContents}
      </p>
      <div className="run-scroll events" tabIndex={0} role="group" aria-label={WORDS.events}>
        <table className="plain">
          <thead>
            <tr>
              <th scope="col" className="number">
                {heads.seq}
              </th>
              <th scope="col">{heads.event}</th>
              <th scope="col" className="number">
                {heads.at}
              </th>
              <th scope="col" className="number">
                {heads.size}
              </th>
              {isOwn && <th scope="col">{heads.content}</th>}
            </tr>
          </thead>
          <tbody>
            {entries.slice(-SHOWN).map((one) => (
              <tr key={one.seq}>
                <td className="number">{one.seq}</td>
                <td>
                  <code>{one.event}</code>
                </td>
                <td className="number">{one.at === null ? WORDS.noTime : clock(one.at, true)}</td>
                <td className="number">{one.characters === null ? "" : count(one.characters)}</td>
                {isOwn && (
                  <td className="content">
                    <code>{one.payload}</code>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
