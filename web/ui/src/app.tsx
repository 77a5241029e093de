import { useEffect, useState } from "react";
import { ChatPage } from "./chat/chat_page";
import { ChatStore, useChat } from "./chat/store";
import { useNow } from "./chat/use_now";
import { findSession, signOut, type Found, type SignedIn } from "./sign_in/session";
import { SignIn } from "./sign_in/sign_in";

const AGAIN = 3_000;

/** Signing in, or the chat. */
export function App({ first }: { readonly first: Promise<Found> }) {
  const [found, setFound] = useState<Found>();
  const [since] = useState(() => Date.now());

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

  if (found === undefined) return <Waiting text="Asking who you are" since={since} />;
  if (found.kind === "no-answer")
    return <Waiting text={`${found.why} Trying again every three seconds`} since={since} />;
  if (found.kind === "signed-out")
    return <SignIn key={found.why} why={found.why} onFound={setFound} />;
  return <SignedInPage who={found.who} onFound={setFound} />;
}

function Waiting({ text, since }: { text: string; since: number }) {
  const now = useNow(1_000);
  const waited = Math.round((now - since) / 1_000);
  return (
    <main className="sign-in">
      <p className="muted" role="status">
        {text}
        {waited > 1 && `, for ${waited} s`}.
      </p>
    </main>
  );
}

function SignedInPage({ who, onFound }: { who: SignedIn; onFound: (found: Found) => void }) {
  const [chat] = useState(() => new ChatStore(who.owner));
  const { connection } = useChat(chat);

  useEffect(() => chat.start(), [chat]);

  useEffect(() => {
    if (connection.kind !== "signed-out") return;
    // The cookie has ended, or the token behind it.
    onFound({ kind: "signed-out", why: "Your sign-in has ended. What you wrote is kept." });
  }, [connection.kind, onFound]);

  const leave = () => {
    void signOut().then(
      () => onFound({ kind: "signed-out" }),
      () => onFound({ kind: "no-answer", why: "The server cannot be reached." }),
    );
  };
  return <ChatPage chat={chat} who={who} onSignOut={leave} />;
}
