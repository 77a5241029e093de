import { useNow } from "../../chat/use_now";
import { WORDS } from "../words";
import { age } from "./formats";
import type { Polled } from "./use_polled";

/** Whether what is shown is of now; if not, of when, why, and a way to try. */
export function Freshness({ of }: { readonly of: Polled<unknown> }) {
  const now = useNow(1_000) / 1_000;
  if (!of.failure) {
    return (
      <p className="connection connection-live">
        <span className="dot" aria-hidden="true" />
        <span role="status">{WORDS.live}</span>
      </p>
    );
  }
  const why = navigator.onLine ? of.failure.message : WORDS.offline;
  return (
    <p className="connection connection-needs">
      <span className="dot" aria-hidden="true" />
      {of.value !== undefined && <span>{WORDS.asOf(age(now - of.readAt))} </span>}
      <span role="status">{why}</span>
      <button type="button" className="quiet" onClick={of.refresh}>
        {WORDS.tryNow}
      </button>
    </p>
  );
}

/** In place of what was never read: that it is being loaded, and since when, or why it is not. */
export function Pending({ of }: { readonly of: Polled<unknown> }) {
  const now = useNow(1_000) / 1_000;
  if (of.failure)
    return (
      <p className="note note-needs" role="alert">
        {navigator.onLine ? of.failure.message : WORDS.offline}{" "}
        <button type="button" className="button" onClick={of.refresh}>
          {WORDS.tryNow}
        </button>
      </p>
    );
  const waited = Math.floor(now - of.readAt);
  return (
    <p className="muted">
      <span role="status">{WORDS.loading}</span>
      {waited > 1 && `, ${waited} s`}.
    </p>
  );
}
