import { useEffect } from "react";
import { Logo } from "../design/icons";
import { useLanguage } from "../languages/language";
import { followPreferences } from "../settings/preferences";
import type { SignedIn } from "../sign_in/session";
import { ListPage } from "./list/list_page";
import { OverviewPage } from "./overview/overview_page";
import { useGo, usePlace, type Place } from "./parts/use_place";
import { RunPage } from "./run/run_page";
import "./runs.css";
import { WORDS } from "./words";

interface Props {
  readonly who: SignedIn;
  readonly onSignOut: () => void;
}

/** All below `/runs`. It is loaded when somebody goes there. */
export default function RunsRoom({ who, onSignOut }: Props) {
  const language = useLanguage();
  useEffect(() => followPreferences(), []);
  const place = usePlace();
  const follow = useGo();
  const isOperator = who.role === "operator" || who.role === "admin";
  const isOverview = place.path === "/runs/overview";
  return (
    <div className="runs-page" key={language}>
      <header className="runs-head">
        <a href="/" className="home" aria-label={WORDS.toChat}>
          <Logo />
        </a>
        <h1>{WORDS.title}</h1>
        <nav className="tabs" aria-label={WORDS.title}>
          <a
            href="/runs"
            onClick={follow}
            aria-current={place.path === "/runs" ? "page" : undefined}
          >
            {WORDS.all}
          </a>
          <a href="/runs/overview" onClick={follow} aria-current={isOverview ? "page" : undefined}>
            {WORDS.overview}
          </a>
          <a href="/">{WORDS.toChat}</a>
        </nav>
        <Corner owner={who.owner} onSignOut={onSignOut} />
      </header>
      <main className="runs-main">
        {!isOperator && <p className="note">{WORDS.ownOnly}</p>}
        <View place={place} who={who} isOperator={isOperator} />
      </main>
    </div>
  );
}

function View({ place, who, isOperator }: { place: Place; who: SignedIn; isOperator: boolean }) {
  const [, , id, more] = place.path.replace(/\/$/, "").split("/");
  if (id === undefined) return <ListPage place={place} isOperator={isOperator} />;
  if (id === "overview" && more === undefined)
    return <OverviewPage place={place} isOperator={isOperator} isAdmin={who.role === "admin"} />;
  if (more === undefined)
    return <RunPage key={id} id={decoded(id)} who={who} isOperator={isOperator} />;
  return (
    <p className="empty">
      {WORDS.notFound} <a href="/runs">{WORDS.backToList}</a>
    </p>
  );
}

function Corner({ owner, onSignOut }: { owner: string; onSignOut: () => void }) {
  return (
    <div className="corner">
      <button type="button" className="quiet" onClick={onSignOut} title={owner}>
        {WORDS.signOut}
      </button>
    </div>
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
