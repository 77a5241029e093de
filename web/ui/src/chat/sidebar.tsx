import { useState } from "react";
import { Icon, Logo } from "../design/icons";
import { applyTheme, readTheme, THEMES, type Theme } from "../design/theme";
import { groupsOf } from "./days";
import type { KnownSession } from "./known_sessions";

interface Props {
  readonly sessions: readonly KnownSession[];
  readonly current: string;
  readonly owner: string;
  readonly isOpen: boolean;
  readonly onOpen: (id?: string) => void;
  readonly onClose: () => void;
  readonly onSignOut: () => void;
}

/** The sessions, by day; on narrow screens over the conversation. */
export function Sidebar(props: Props) {
  const { sessions, current, isOpen, onOpen, onClose } = props;
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
        <div className="sessions">
          {!sessions.length && <p className="muted">Your conversations will be listed here.</p>}
          {groupsOf(sessions, new Date()).map((group) => (
            <section key={group.name}>
              <h2>{group.name}</h2>
              <ul>
                {group.sessions.map((session) => (
                  <li key={session.id}>
                    <a
                      href={`/?s=${encodeURIComponent(session.id)}`}
                      aria-current={session.id === current ? "page" : undefined}
                      dir="auto"
                      title={session.title}
                      onClick={(event) => {
                        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                        event.preventDefault();
                        onOpen(session.id);
                      }}
                    >
                      {session.title || "Untitled"}
                    </a>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </div>
        <Footer owner={props.owner} onSignOut={props.onSignOut} />
      </nav>
    </>
  );
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
