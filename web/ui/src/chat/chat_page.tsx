import { useEffect, useMemo, useState } from "react";
import type { Outgoing, Waiting } from "../client";
import { Icon } from "../design/icons";
import type { Listing } from "../sessions/session_list";
import { nameOf } from "../sessions/session_row";
import { Sidebar, type UnsentSession } from "../sessions/sidebar";
import type { SignedIn } from "../sign_in/session";
import { Announcer } from "./announcer";
import { Composer } from "./composer";
import { ConnectionLine } from "./connection_line";
import { Conversation } from "./conversation";
import { itemsOf } from "./items";
import type { Actions } from "./parts";
import { QueueList } from "./queue_list";
import { RunStatus } from "./run_status";
import { useChat, type ChatStore } from "./store";
import { useDraft } from "./use_draft";
import { DemoLine, Welcome } from "./welcome";

interface Props {
  readonly chat: ChatStore;
  readonly who: SignedIn;
  readonly onSignOut: () => void;
}

export function ChatPage({ chat, who, onSignOut }: Props) {
  const { connection, sessionId, view, outbox, listing, isNew } = useChat(chat);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [failure, setFailure] = useState<string>();
  const items = useMemo(() => itemsOf(view, outbox), [view, outbox]);
  const [draft, setDraft] = useDraft(who.owner, sessionId, isNew);
  const listed = listing.sessions.find((one) => one.id === sessionId);
  const title = view.title ?? (listed ? nameOf(listed) : "New chat");
  const { client } = chat;

  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);

  const send = (text: string, onBusy: "queue" | "interrupt" = "queue") => {
    setFailure(undefined);
    chat.send(text, onBusy);
  };
  const tell = async (request: Promise<{ ok: boolean; error?: { message: string } }>) => {
    const reply = await request;
    setFailure(reply.ok ? undefined : reply.error?.message);
    return reply.ok;
  };
  const editWaiting = async (waiting: Waiting) => {
    if (await tell(client.cancel(sessionId, waiting.run_id))) setDraft(waiting.input);
  };
  const actions: Actions = {
    send,
    edit: setDraft,
    retry: (outgoing) => client.outbox.retry(outgoing.id),
    discard: (outgoing) => client.outbox.remove(outgoing.id),
  };
  const open = (id?: string) => {
    setMenuOpen(false);
    setFailure(undefined);
    chat.open(id);
  };
  const isDeleted = view.state === "deleted";
  const isEmpty = !items.length && view.state === "live" && !isDeleted;

  return (
    <div className="page">
      <Sidebar
        listing={listing}
        list={chat.list}
        isLive={connection.kind === "live"}
        unsent={unsentOf(outbox, listing)}
        current={sessionId}
        owner={who.owner}
        isOpen={isMenuOpen}
        onOpen={open}
        onClose={() => setMenuOpen(false)}
        onSignOut={onSignOut}
      />
      <main className="main">
        <header className="head">
          <button
            type="button"
            className="quiet only-narrow"
            aria-label="Sessions"
            aria-expanded={isMenuOpen}
            aria-controls="sessions"
            onClick={() => setMenuOpen(true)}
          >
            <Icon name="menu" />
          </button>
          <h1 dir="auto">{title}</h1>
          {view.inputTokens > 0 && (
            <span className="muted tokens" title="Tokens of this conversation's context">
              {view.inputTokens.toLocaleString("en")} tokens
            </span>
          )}
          <ConnectionLine connection={connection} view={view} onTry={() => client.wake()} />
        </header>
        {who.demoGateway && <DemoLine />}
        {view.notices.map((notice) => (
          <p className="demo-line" key={notice.code}>
            {notice.message}
          </p>
        ))}
        <Announcer view={view} />
        <Conversation
          key={sessionId}
          items={items}
          actions={actions}
          before={
            <>
              {isEmpty && <Welcome isDemo={who.demoGateway} onSend={send} />}
              {isDeleted && <p className="note">This session was deleted.</p>}
              {view.hasMore && (
                <p className="note">
                  The newest {view.stored.length} of {view.total.toLocaleString("en")} messages.
                </p>
              )}
            </>
          }
          status={
            <RunStatus
              view={view}
              connection={connection}
              onAnswer={(id, choice) => void tell(client.answer(sessionId, id, choice))}
            />
          }
        />
        <div className="dock column">
          {failure !== undefined && (
            <p className="note note-needs" role="alert">
              {failure}
            </p>
          )}
          <QueueList
            queue={view.queue}
            onCancel={(waiting) => void tell(client.cancel(sessionId, waiting.run_id))}
            onEdit={(waiting) => void editWaiting(waiting)}
          />
          <Composer
            key={sessionId}
            text={draft}
            isWorking={view.isWorking}
            canStop={connection.kind === "live"}
            onText={setDraft}
            onSend={(onBusy) => {
              const text = draft;
              setDraft("");
              send(text, onBusy);
            }}
            onStop={() => void tell(client.abort(sessionId))}
          />
        </div>
      </main>
    </div>
  );
}

/** The sessions of messages that were not sent yet, if the server does not list them. */
function unsentOf(outbox: readonly Outgoing[], listing: Listing): UnsentSession[] {
  const found = new Map<string, string>();
  for (const one of outbox)
    if (one.state === "waiting" && !listing.sessions.some((known) => known.id === one.sessionId))
      found.set(one.sessionId, one.input);
  return [...found].map(([id, title]) => ({ id, title }));
}
