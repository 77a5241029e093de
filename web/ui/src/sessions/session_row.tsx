import { useState, type ReactNode } from "react";
import type { ListedSession, SessionChangesBody, Snippet } from "../client/api.generated";
import { Icon } from "../design/icons";

interface Props {
  readonly session: ListedSession;
  readonly isCurrent: boolean;
  readonly onOpen: () => void;
  readonly onChange: (changes: SessionChangesBody) => void;
  readonly onRemove: () => void;
}

/** One session: its title, what a search found in it, and what can be done to it. */
export function SessionRow({ session, isCurrent, onOpen, onChange, onRemove }: Props) {
  const [mode, setMode] = useState<"shown" | "actions" | "renaming">("shown");
  const name = nameOf(session);
  const act = (work: () => void) => () => {
    setMode("shown");
    work();
  };
  if (mode === "renaming")
    return (
      <Rename
        name={name}
        onDone={(title) => {
          setMode("shown");
          if (title && title !== session.title) onChange({ title });
        }}
      />
    );
  return (
    <>
      <div className="session">
        <a
          href={`/?s=${encodeURIComponent(session.id)}`}
          aria-current={isCurrent ? "page" : undefined}
          dir="auto"
          title={name}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            onOpen();
          }}
        >
          {name}
          {session.archived && <span className="muted"> archived</span>}
          {session.match?.snippet && <Found snippet={session.match.snippet} />}
        </a>
        <button
          type="button"
          className="quiet"
          aria-label={`What to do with ${name}`}
          aria-expanded={mode === "actions"}
          onClick={() => setMode(mode === "actions" ? "shown" : "actions")}
        >
          <Icon name="more" />
        </button>
      </div>
      {mode === "actions" && (
        <div className="session-actions">
          <Action onClick={() => setMode("renaming")}>Rename</Action>
          <Action onClick={act(() => onChange({ pinned: !session.pinned }))}>
            {session.pinned ? "Unpin" : "Pin"}
          </Action>
          <Action onClick={act(() => onChange({ archived: !session.archived }))}>
            {session.archived ? "Unarchive" : "Archive"}
          </Action>
          <Action onClick={act(onRemove)}>Delete</Action>
        </div>
      )}
    </>
  );
}

export function nameOf(session: ListedSession): string {
  return session.title ?? (session.preview?.trim() || "Untitled");
}

function Action({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" className="quiet" onClick={onClick}>
      {children}
    </button>
  );
}

function Rename({ name, onDone }: { name: string; onDone: (title?: string) => void }) {
  const [title, setTitle] = useState(name);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onDone(title.trim());
      }}
    >
      <input
        className="rename"
        aria-label="Title"
        autoFocus
        maxLength={100}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        onBlur={() => onDone(title.trim())}
        onKeyDown={(event) => {
          if (event.key === "Escape") onDone();
        }}
      />
    </form>
  );
}

/** A piece of a message with what was found in it; positions count characters, not UTF-16 units. */
function Found({ snippet }: { snippet: Snippet }) {
  const characters = Array.from(snippet.text);
  const part = (from: number, to?: number) => characters.slice(from, to).join("");
  let at = 0;
  const parts = snippet.ranges.map(([from, to]) => {
    const before = part(at, from);
    at = to;
    return (
      <span key={from}>
        {before}
        <mark>{part(from, to)}</mark>
      </span>
    );
  });
  return (
    <span className="found muted">
      {parts}
      {part(at)}
    </span>
  );
}
