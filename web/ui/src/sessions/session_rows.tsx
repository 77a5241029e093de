import { memo, useEffect, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { ListedSession } from "../client/api.generated";
import { linesOf, type Line } from "./days";
import type { Marks } from "./marks";
import type { SessionListStore } from "./session_list";
import { SessionRow, type Mode } from "./session_row";

interface Props {
  readonly sessions: readonly ListedSession[];
  readonly unread: ReadonlySet<string>;
  readonly marks: Marks;
  readonly current: string;
  readonly list: SessionListStore;
  readonly scroll: RefObject<HTMLDivElement | null>;
  readonly onOpen: (id?: string) => void;
}

const DRAWN_WITHIN = 2_000; // milliseconds for a row that is to get the focus

interface Wanted {
  readonly id: string;
  readonly until: number;
  /** What had the focus before. */
  readonly from: Element | null;
}

/** The rows, of which only those in sight are in the document. One of them can be reached by the tab
 * key, the others from it: arrows, Home, End; F2 renames, Delete deletes. */
export const SessionRows = memo(function SessionRows(props: Props) {
  const { sessions, unread, marks, current, list, scroll, onOpen } = props;
  const [at, setAt] = useState<{ id: string; mode: Mode }>({ id: "", mode: "shown" });
  const rows = useRef<VirtualizerHandle>(null);
  /** The row that gets the focus as soon as it is drawn. */
  const wanted = useRef<Wanted>(undefined);
  const lines = linesOf(sessions, new Date());
  const isListed = (id: string) => sessions.some((one) => one.id === id);
  const reachable = [at.id, current].find(isListed) ?? sessions[0]?.id;

  const indexOf = (id: string) =>
    lines.findIndex((line) => line.kind === "session" && line.session.id === id);
  const focus = (id: string) => {
    const until = performance.now() + DRAWN_WITHIN;
    wanted.current = { id, until, from: document.activeElement };
    setAt({ id, mode: "shown" });
    rows.current?.scrollToIndex(indexOf(id), { align: "nearest" });
  };
  const focusWanted = () => {
    if (!wanted.current) return;
    const { id, until, from } = wanted.current;
    const active = document.activeElement;
    const isElsewhere =
      active !== from && active !== document.body && !scroll.current?.contains(active);
    const link = isElsewhere ? undefined : linkOf(scroll.current, id);
    link?.focus({ preventScroll: true });
    // A row that comes into sight is hidden until it is measured, and takes no focus meanwhile.
    const isDone = link && link === document.activeElement;
    if (isDone || isElsewhere || performance.now() > until) wanted.current = undefined;
  };
  useEffect(() => {
    focusWanted();
    let frame = 0;
    const again = () => {
      focusWanted();
      if (wanted.current) frame = requestAnimationFrame(again);
    };
    if (wanted.current) frame = requestAnimationFrame(again);
    return () => cancelAnimationFrame(frame);
  });
  const remove = (session: ListedSession) => {
    const index = sessions.indexOf(session);
    const next = sessions[index + 1] ?? sessions[index - 1];
    list.remove(session);
    if (session.id === current) onOpen();
    else if (next) focus(next.id);
  };
  const pressed = (event: KeyboardEvent) => {
    const id = (event.target as HTMLElement).closest<HTMLElement>("[data-session]")?.dataset[
      "session"
    ];
    const index = sessions.findIndex((one) => one.id === id);
    const session = sessions[index];
    if (!session || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = targetOf(event.key, index, sessions.length);
    const next = target === undefined ? undefined : sessions[target];
    if (next) focus(next.id);
    else if (event.key === "F2") setAt({ id: session.id, mode: "title" });
    else if (event.key === "Delete") remove(session);
    else if (event.key === "Escape" && at.mode !== "shown") setAt({ ...at, mode: "shown" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const modeOf = (session: ListedSession): Mode => (session.id === at.id ? at.mode : "shown");
  const kept = indexOf(at.id); // also out of sight it has the focus, or is being edited

  return (
    <div onKeyDown={pressed}>
      <Virtualizer
        ref={rows}
        scrollRef={scroll}
        as="ul"
        item="li"
        itemSize={36}
        keepMounted={kept < 0 ? [] : [kept]}
      >
        {lines.map((line) => (
          <div
            key={keyOf(line)}
            data-session={line.kind === "session" ? line.session.id : undefined}
          >
            {line.kind === "day" ? (
              <h2>{line.name}</h2>
            ) : (
              <SessionRow
                session={line.session}
                mode={modeOf(line.session)}
                mark={marks.get(line.session.id)}
                isUnread={unread.has(line.session.id)}
                isCurrent={line.session.id === current}
                isReachable={line.session.id === reachable}
                onMode={(mode) => {
                  if (mode === "shown") focus(line.session.id);
                  else setAt({ id: line.session.id, mode });
                }}
                onOpen={() => onOpen(line.session.id)}
                onChange={(changes) => void list.change(line.session.id, changes)}
                onRemove={() => remove(line.session)}
              />
            )}
          </div>
        ))}
      </Virtualizer>
    </div>
  );
});

function keyOf(line: Line): string {
  return line.kind === "day" ? `day:${line.name}` : line.session.id;
}

/** Where a key leads from the row of that index. */
function targetOf(key: string, index: number, count: number): number | undefined {
  switch (key) {
    case "ArrowDown":
      return Math.min(index + 1, count - 1);
    case "ArrowUp":
      return Math.max(index - 1, 0);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}

function linkOf(box: HTMLElement | null, id: string): HTMLElement | null | undefined {
  return box?.querySelector<HTMLElement>(`[data-session="${CSS.escape(id)}"] a`);
}
