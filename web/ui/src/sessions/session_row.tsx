import { useState, type ReactNode } from "react";
import type { ListedSession, SessionChangesBody } from "../client/api.generated";
import { Icon } from "../design/icons";
import type { Mark } from "./marks";
import { Found } from "./snippet";
import { nameOf } from "./title";
import { words } from "./words";

/** What is being done to a row. */
export type Mode = "shown" | "actions" | "title" | "workspace";

export interface RowProps {
  readonly session: ListedSession;
  readonly mode: Mode;
  readonly mark: Mark | undefined;
  readonly isUnread: boolean;
  readonly isCurrent: boolean;
  /** Whether the tab key leads to it; the arrow keys lead to the others. */
  readonly isReachable: boolean;
  readonly onMode: (mode: Mode) => void;
  readonly onOpen: () => void;
  readonly onChange: (changes: SessionChangesBody) => void;
  readonly onRemove: () => void;
}

/** One session: its title, what it does, what a search found in it, and what can be done to it. */
export function SessionRow(props: RowProps) {
  const { session, mode, onMode, onChange } = props;
  if (mode === "title" || mode === "workspace") {
    const before = mode === "title" ? nameOf(session) : (session.workspace ?? "");
    return (
      <Field
        label={mode === "title" ? words().title : words().workspace}
        before={before}
        onDone={(text) => {
          onMode("shown");
          if (text === undefined || text === before) return;
          if (mode === "workspace") onChange({ workspace: text || null });
          else if (text) onChange({ title: text });
        }}
      />
    );
  }
  return (
    <>
      <Line {...props} />
      {mode === "actions" && <Actions {...props} />}
    </>
  );
}

function Line({ session, mode, mark, isUnread, isCurrent, isReachable, ...does }: RowProps) {
  const name = nameOf(session);
  const tabIndex = isReachable ? 0 : -1;
  return (
    <div className="session">
      <a
        href={`/?s=${encodeURIComponent(session.id)}`}
        className={isUnread ? "unread" : undefined}
        aria-current={isCurrent ? "page" : undefined}
        tabIndex={tabIndex}
        title={name}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          does.onOpen();
        }}
      >
        <span className="session-line">
          <bdi className="session-name">{name}</bdi>
          <MarkSign mark={mark ?? (isUnread ? "unread" : undefined)} />
        </span>
        {(session.archived || session.workspace !== null) && (
          <span className="session-place muted" dir="auto">
            {[session.archived && words().archived, session.workspace].filter(Boolean).join(" · ")}
          </span>
        )}
        {session.match?.snippet && <Found snippet={session.match.snippet} />}
      </a>
      <button
        type="button"
        className="quiet"
        tabIndex={tabIndex}
        aria-label={words().whatToDo(name)}
        aria-expanded={mode === "actions"}
        onClick={() => does.onMode(mode === "actions" ? "shown" : "actions")}
      >
        <Icon name="more" />
      </button>
    </div>
  );
}

function MarkSign({ mark }: { mark: Mark | "unread" | undefined }) {
  if (mark === undefined) return null;
  return (
    <span
      className={`mark mark-${mark}`}
      role="img"
      aria-label={words()[mark]}
      title={words()[mark]}
    />
  );
}

function Actions({ session, onMode, onChange, onRemove }: RowProps) {
  const act = (work: () => void) => () => {
    onMode("shown");
    work();
  };
  return (
    <div className="session-actions">
      <Action onClick={() => onMode("title")}>{words().rename}</Action>
      <Action onClick={act(() => onChange({ pinned: !session.pinned }))}>
        {session.pinned ? words().unpin : words().pin}
      </Action>
      <Action onClick={act(() => onChange({ archived: !session.archived }))}>
        {session.archived ? words().unarchive : words().archive}
      </Action>
      <Action onClick={() => onMode("workspace")}>{words().workspace}</Action>
      <Action onClick={act(onRemove)}>{words().delete}</Action>
    </div>
  );
}

function Action({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" className="quiet" onClick={onClick}>
      {children}
    </button>
  );
}

interface FieldProps {
  readonly label: string;
  readonly before: string;
  /** Without a text nothing is to be changed. */
  readonly onDone: (text?: string) => void;
}

function Field({ label, before, onDone }: FieldProps) {
  const [text, setText] = useState(before);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onDone(text.trim());
      }}
    >
      <input
        className="rename"
        aria-label={label}
        placeholder={label}
        autoFocus
        list={label === words().workspace ? "workspaces" : undefined}
        maxLength={label === words().title ? 100 : 200}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onFocus={(event) => event.target.select()}
        onBlur={() => onDone(text.trim())}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") onDone();
        }}
      />
    </form>
  );
}
