import { useEffect, useRef } from "react";
import { Icon, Logo } from "../design/icons";
import type { Marks } from "./marks";
import type { Listing, SessionListStore } from "./session_list";
import { SessionRows } from "./session_rows";
import { ShownSelect } from "./shown_select";
import { UndoList } from "./undo_list";
import { words } from "./words";

/** A session that the server does not know yet. */
export interface UnsentSession {
  readonly id: string;
  readonly title: string;
}

interface Props {
  readonly listing: Listing;
  readonly list: SessionListStore;
  readonly marks: Marks;
  /** Without a connection its own line says so. */
  readonly isLive: boolean;
  readonly unsent: readonly UnsentSession[];
  readonly current: string;
  readonly owner: string;
  readonly isOpen: boolean;
  readonly onOpen: (id?: string) => void;
  readonly onClose: () => void;
  readonly onSettings: () => void;
  readonly onSignOut: () => void;
}

/** The sessions, by day; on narrow screens over the conversation. */
export function Sidebar(props: Props) {
  const { listing, list, marks, isOpen, onOpen, onClose, current } = props;

  const latest = useRef({ current, marks });
  useEffect(() => {
    const before = latest.current;
    list.see(current, !before.marks.has(before.current));
  }, [list, current]);
  useEffect(() => {
    latest.current = { current, marks };
  });

  return (
    <>
      {isOpen && <div className="shade" onClick={onClose} aria-hidden="true" />}
      <nav
        className={isOpen ? "sidebar sidebar-open" : "sidebar"}
        aria-label={words().sessions}
        id="sessions"
        onKeyDown={(event) => {
          if (event.key === "Escape" && isOpen) onClose();
        }}
      >
        <div className="sidebar-head">
          <Logo />
          <strong>Holdfast</strong>
          <button
            type="button"
            className="quiet only-narrow"
            aria-label={words().close}
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        </div>
        <button type="button" className="button new-chat" onClick={() => onOpen()}>
          <Icon name="plus" /> {words().newChat}
        </button>
        <div className="find">
          <input
            className="search"
            type="search"
            aria-label={words().searchSessions}
            placeholder={words().search}
            value={listing.search}
            onChange={(event) => list.search(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape" && listing.search) {
                event.stopPropagation();
                list.search("");
              }
            }}
          />
          <ShownSelect
            shown={listing.shown}
            workspaces={listing.workspaces}
            onShow={(shown) => list.show(shown)}
          />
        </div>
        <Sessions {...props} />
        <UndoList leaving={listing.leaving} onUndo={(id) => list.undo(id)} />
        <div className="sidebar-foot">
          <button type="button" className="quiet" onClick={props.onSettings}>
            <Icon name="gear" /> {words().settings}
          </button>
          <a href="/runs">{words().runs}</a>
          <button
            type="button"
            className="quiet"
            onClick={props.onSignOut}
            title={words().signedInAs(props.owner)}
          >
            {words().signOut}
          </button>
        </div>
      </nav>
    </>
  );
}

const NEAR_END = 400; // pixels

function Sessions({ listing, list, marks, isLive, unsent, current, onOpen }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const leaving = new Set(listing.leaving.map((one) => one.id));
  const sessions = leaving.size
    ? listing.sessions.filter((one) => !leaving.has(one.id))
    : listing.sessions;
  const isEmpty = !sessions.length && !unsent.length && listing.failure === undefined;

  const scrolled = () => {
    const found = box.current;
    if (!found || !listing.hasMore) return;
    const left = found.scrollHeight - found.scrollTop - found.clientHeight;
    if (left < NEAR_END) void list.more();
  };

  return (
    <div
      className="sessions"
      ref={box}
      tabIndex={sessions.length ? undefined : 0}
      role="region"
      aria-label={words().list}
      aria-busy={listing.isBehind}
      onScroll={scrolled}
    >
      {isLive && listing.failure !== undefined && (
        <p className="note note-needs" role="alert">
          {listing.failure}{" "}
          <button type="button" className="button" onClick={() => list.refresh()}>
            {words().tryAgain}
          </button>
        </p>
      )}
      {listing.search !== "" && (
        <p className="muted found-count" role="status">
          {listing.isBehind ? words().searching : foundWords(listing)}
        </p>
      )}
      {unsent.map((one) => (
        <p className="muted unsent" key={one.id}>
          {words().notSent(one.title)}
        </p>
      ))}
      {isEmpty && listing.search === "" && <p className="muted unsent">{emptyWords(listing)}</p>}
      <SessionRows
        sessions={sessions}
        unread={listing.unread}
        marks={marks}
        current={current}
        list={list}
        scroll={box}
        onOpen={onOpen}
      />
      {listing.hasMore && (
        <button type="button" className="button" onClick={() => void list.more()}>
          {words().showMore}
        </button>
      )}
      <datalist id="workspaces">
        {listing.workspaces.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </div>
  );
}

function foundWords(listing: Listing): string {
  if (!listing.sessions.length) return words().nothingFound;
  const found = words().found(listing.total);
  return listing.isComplete ? found : `${found}. ${words().newestOnly}`;
}

function emptyWords(listing: Listing): string {
  if (listing.state === "loading") return words().loading;
  if (listing.shown === "archived") return words().nothingArchived;
  return listing.shown === "active" ? words().nothing : words().nothingInWorkspace;
}
