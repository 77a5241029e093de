import { isDue, type Wish } from "./deletions";
import { words } from "./words";

interface Props {
  readonly leaving: readonly Wish[];
  readonly onUndo: (id: string) => void;
}

const SHOWN = 3;

/** What was deleted just now, with a way back. */
export function UndoList({ leaving, onUndo }: Props) {
  const open = leaving.filter((one) => !isDue(one)).slice(-SHOWN);
  return (
    <div role="status">
      {open.map((one) => (
        <p className="note leaving" key={one.id}>
          <span dir="auto">{words().deleted(one.name)}</span>
          <button type="button" className="button" onClick={() => onUndo(one.id)}>
            {words().undo}
          </button>
        </p>
      ))}
    </div>
  );
}
