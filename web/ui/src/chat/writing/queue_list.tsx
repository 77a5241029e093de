import type { Waiting } from "../../client";
import { Icon } from "../../design/icons";
import { WAITING } from "../said";

interface Props {
  readonly queue: readonly Waiting[];
  readonly onCancel: (waiting: Waiting) => void;
  readonly onEdit: (waiting: Waiting) => void;
}

/** The messages that wait for the live run to end. */
export function QueueList({ queue, onCancel, onEdit }: Props) {
  if (!queue.length) return null;
  return (
    <section className="queue" aria-label={WAITING.label}>
      <h2>{WAITING.next}</h2>
      <ol>
        {queue.map((waiting) => (
          <li key={waiting.run_id}>
            <span dir="auto">{waiting.input}</span>
            <button
              type="button"
              className="quiet"
              aria-label={WAITING.edit}
              onClick={() => onEdit(waiting)}
            >
              <Icon name="edit" />
            </button>
            <button
              type="button"
              className="quiet"
              aria-label={WAITING.cancel}
              onClick={() => onCancel(waiting)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
