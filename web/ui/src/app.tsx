import { lazy, Suspense, useEffect, useState } from "react";
import { ChatPage } from "./chat/chat_page";
import { ChatStore, useChat } from "./chat/store";
import { useNow } from "./chat/use_now";
import { Dialogs } from "./dialogs";
import { useLanguage } from "./languages/language";
import { Notifier } from "./notifications/notifier";
import { openSettings } from "./settings/address";
import { followPreferences } from "./settings/preferences";
import { findSession, signOut, type Found, type SignedIn } from "./sign_in/session";
import { SignIn } from "./sign_in/sign_in";
import { words } from "./sign_in/words";

const AGAIN = 3_000;
const RunsRoom = lazy(() => import("./runs/runs_room"));

/** Signing in, or the chat. */
export function App({ first }: { readonly first: Promise<Found> }) {
  const [found, setFound] = useState<Found | { readonly kind: "leaving" }>();
  const [since, setSince] = useState(() => Date.now());
  const language = useLanguage();

  useEffect(followPreferences, []);

  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);

  useEffect(() => {
    let isOver = false;
    void first.then((one) => {
      if (!isOver) setFound(one);
    });
    return () => {
      isOver = true;
    };
  }, [first]);

  useEffect(() => {
    // The link may be followed in a tab that shows the page already.
    const followed = () => {
      if (found?.kind !== "signed-in" && location.hash) void findSession().then(setFound);
    };
    window.addEventListener("hashchange", followed);
    return () => window.removeEventListener("hashchange", followed);
  }, [found]);

  useEffect(() => {
    if (found?.kind !== "no-answer") return;
    const timer = setTimeout(() => void findSession().then(setFound), AGAIN);
    return () => clearTimeout(timer);
  }, [found]);

  useEffect(() => {
    if (found?.kind !== "leaving") return;
    void signOut().then(
      () => setFound({ kind: "signed-out" }),
      () => setFound({ kind: "no-answer", why: words().unreachable }),
    );
  }, [found]);

  // What is shown asks with the cookie that is about to end, so it is taken away first.
  const leave = () => {
    setSince(Date.now());
    setFound({ kind: "leaving" });
  };

  if (found === undefined) return <Waiting text={words().asking} since={since} />;
  if (found.kind === "leaving") return <Waiting text={words().leaving} since={since} />;
  if (found.kind === "no-answer") return <Waiting text={words().again(found.why)} since={since} />;
  if (found.kind === "signed-out")
    return <SignIn key={found.why} why={found.why} onFound={setFound} />;
  if (/^\/runs(\/|$)/.test(location.pathname))
    return (
      <Suspense fallback={<Waiting text={words().loading} since={since} />}>
        <RunsRoom who={found.who} onSignOut={leave} />
      </Suspense>
    );
  return <SignedInPage who={found.who} onFound={setFound} onSignOut={leave} />;
}

function Waiting({ text, since }: { text: string; since: number }) {
  const now = useNow(1_000);
  const waited = Math.round((now - since) / 1_000);
  return (
    <main className="sign-in">
      <p className="muted" role="status">
        {waited > 1 ? words().waited(text, waited) : words().sentence(text)}
      </p>
    </main>
  );
}

interface SignedInProps {
  readonly who: SignedIn;
  readonly onFound: (found: Found) => void;
  readonly onSignOut: () => void;
}

function SignedInPage({ who, onFound, onSignOut }: SignedInProps) {
  const [chat] = useState(() => new ChatStore(who.owner));
  const { connection } = useChat(chat);
  const language = useLanguage();

  useEffect(() => chat.start(), [chat]);

  useEffect(() => {
    const notifier = new Notifier((sessionId) => chat.open(sessionId));
    const unsubscribe = chat.subscribe(() => notifier.look(chat.client.views()));
    return () => {
      unsubscribe();
      notifier.stop();
    };
  }, [chat]);

  useEffect(() => {
    if (connection.kind !== "signed-out") return;
    // The cookie has ended, or the token behind it.
    onFound({ kind: "signed-out", why: words().ended });
  }, [connection.kind, onFound]);

  return (
    <>
      <ChatPage
        key={language}
        chat={chat}
        who={who}
        onSettings={openSettings}
        onSignOut={onSignOut}
      />
      <Dialogs chat={chat} who={who} onSignOut={onSignOut} />
    </>
  );
}
