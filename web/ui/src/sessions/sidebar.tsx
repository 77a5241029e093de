import { useState } from "react";
import { Icon, Logo } from "../design/icons";
import { applyTheme, readTheme, THEMES, type Theme } from "../design/theme";
import { groupsOf } from "./days";
import type { SessionListStore, Listing } from "./session_list";
import { nameOf, SessionRow } from "./session_row";

/** A session that the server does not know yet. */
export interface UnsentSession {
  readonly id: string;
  readonly title: string;
}

interface Props {
  readonly listing: Listing;
  readonly list: SessionListStore;
  /** Without a connection its own line says so. */
  readonly isLive: boolean;
  readonly unsent: readonly UnsentSession[];
  readonly current: string;
  readonly owner: string;
  readonly isOpen: boolean;
  readonly onOpen: (id?: string) => void;
  readonly onClose: () => void;
  readonly onSignOut: () => void;
}

/** The sessions, by day; on narrow screens over the conversation. */
export function Sidebar(props: Props) {
  const { listing, list, isOpen, onOpen, onClose } = props;
  return (
    <>
      {isOpen && <div className="shade" onClick={onClose} aria-hidden="true" />}
      <nav
        className={isOpen ? "sidebar sidebar-open" : "sidebar"}
        aria-label="Sessions"
        id="sessions"
      >
        <div className="sidebar-head">
          <Logo />
          <strong>Holdfast</strong>
          <button type="button" className="quiet only-narrow" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <button type="button" className="button new-chat" onClick={() => onOpen()}>
          <Icon name="plus" /> New chat
        </button>
        <input
          className="search"
          type="search"
          aria-label="Search sessions"
          placeholder="Search"
          value={listing.search}
          onChange={(event) => list.search(event.target.value)}
        />
        <Sessions {...props} />
        {listing.leaving && (
          <p className="note leaving" role="status">
            <span>“{nameOf(listing.leaving)}” is deleted.</span>
            <button type="button" className="button" onClick={() => list.keep()}>
              Undo
            </button>
          </p>
        )}
        <Footer owner={props.owner} onSignOut={props.onSignOut} />
      </nav>
    </>
  );
}

function Sessions({ listing, list, isLive, unsent, current, onOpen }: Props) {
  const sessions = listing.sessions.filter((one) => one.id !== listing.leaving?.id);
  return (
    <div className="sessions" tabIndex={0} role="region" aria-label="List of sessions">
      {isLive && listing.failure !== undefined && (
        <p className="note note-needs" role="alert">
          {listing.failure}{" "}
          <button type="button" className="button" onClick={() => list.refresh()}>
            Try again
          </button>
        </p>
      )}
      {unsent.map((one) => (
        <p className="muted unsent" key={one.id}>
          {one.title} (not sent yet)
        </p>
      ))}
      {!sessions.length && !unsent.length && listing.failure === undefined && (
        <p className="muted">{emptyWords(listing)}</p>
      )}
      {groupsOf(sessions, new Date()).map((group) => (
        <section key={group.name}>
          <h2>{group.name}</h2>
          <ul>
            {group.sessions.map((session) => (
              <li key={session.id}>
                <SessionRow
                  session={session}
                  isCurrent={session.id === current}
                  onOpen={() => onOpen(session.id)}
                  onChange={(changes) => void list.change(session.id, changes)}
                  onRemove={() => {
                    list.remove(session);
                    if (session.id === current) onOpen();
                  }}
                />
              </li>
            ))}
          </ul>
        </section>
      ))}
      {listing.hasMore && (
        <button type="button" className="button" onClick={() => void list.more()}>
          Show more
        </button>
      )}
    </div>
  );
}

function emptyWords(listing: Listing): string {
  if (listing.state === "loading") return "Loading the list.";
  return listing.search ? "Nothing was found." : "Your conversations will be listed here.";
}

function Footer({ owner, onSignOut }: { owner: string; onSignOut: () => void }) {
  const [theme, setTheme] = useState(readTheme);
  return (
    <div className="sidebar-foot">
      <label>
        Theme
        <select
          value={theme}
          onChange={(event) => {
            const chosen = event.target.value as Theme;
            applyTheme(chosen);
            setTheme(chosen);
          }}
        >
          {THEMES.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="button" className="quiet" onClick={onSignOut} title={`Signed in as ${owner}`}>
        Sign out
      </button>
    </div>
  );
}
