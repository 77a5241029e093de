import type { SessionView } from "../../client";
import { OLDEST as WORDS } from "../words";

interface Props {
  readonly view: SessionView;
  readonly onRead: () => void;
}

/** The line before the first message: whether there are more, and what becomes of them. */
export function OldestLine({ view, onRead }: Props) {
  if (view.reading === "failed")
    return (
      <p className="note" role="status">
        {WORDS.failed}{" "}
        <button type="button" className="quiet" onClick={onRead}>
          {WORDS.again}
        </button>
      </p>
    );
  if (view.hasMore) return <p className="note">{WORDS.loading}</p>;
  return view.older.length ? <p className="note">{WORDS.beginning}</p> : null;
}
