import type { ConnectionState, SessionView } from "../client";
import { STATES } from "./said";
import { useNow } from "./use_now";
import { connectionWords } from "./words";

interface Props {
  readonly connection: ConnectionState;
  readonly view: SessionView;
  readonly onTry: () => void;
}

/** The truth about the connection, in words. */
export function ConnectionLine({ connection, view, onTry }: Props) {
  const isLive = connection.kind === "live" && view.state === "live";
  const now = useNow(500, !isLive);
  const words = connectionWords(connection, view, Math.max(now, view.since, connection.since));
  return (
    <div className={`connection connection-${words.tone}`} data-state={connection.kind}>
      <span className="dot" aria-hidden="true" />
      <span>{words.text}</span>
      {connection.kind === "waiting" && (
        <button type="button" className="quiet" onClick={onTry}>
          {STATES.tryNow}
        </button>
      )}
    </div>
  );
}
