import { useCallback, useEffect, useMemo, useState } from "react";
import type { Outgoing } from "../client";
import { Icon } from "../design/icons";
import type { Listing } from "../sessions/session_list";
import { nameOf } from "../sessions/title";
import { Sidebar, type UnsentSession } from "../sessions/sidebar";
import { useShortcut } from "../shortcuts/use_shortcut";
import type { SignedIn } from "../sign_in/session";
import { Announcer } from "./messages/announcer";
import { partsOf } from "./writing/attachments";
import { Composer } from "./writing/composer";
import { ConnectionLine } from "./connection_line";
import { ContextMeter } from "./context_meter";
import { Conversation } from "./messages/conversation";
import { itemsOf } from "./messages/items";
import { OldestLine } from "./messages/oldest_line";
import { QueueList } from "./writing/queue_list";
import { RunStatus } from "./messages/run_status";
import { SessionOptions } from "./writing/session_options";
import { useChat, type ChatStore } from "./store";
import { useDrop } from "./writing/use_drop";
import { useStable } from "./use_stable";
import { useTalk } from "./use_talk";
import { DemoLine, Welcome } from "./welcome";
import { ATTACHMENTS, PAGE as WORDS } from "./words";

interface Props {
  readonly chat: ChatStore;
  readonly who: SignedIn;
  readonly onSettings: () => void;
  readonly onSignOut: () => void;
}

export function ChatPage({ chat, who, onSettings, onSignOut }: Props) {
  const state = useChat(chat);
  const { connection, sessionId, view, outbox, listing, marks } = state;
  const [isMenuOpen, setMenuOpen] = useState(false);
  const items = useMemo(() => itemsOf(view, outbox), [view, outbox]);
  const talk = useTalk(chat, state, who.owner);
  const drop = useDrop(talk.message.add);
  const isConnected = connection.kind === "live";
  const listed = listing.sessions.find((one) => one.id === sessionId);
  const title = view.title ?? (listed ? nameOf(listed) : WORDS.untitled);
  const { client } = chat;

  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);

  const { open: openTalk } = useStable({ open: talk.open });
  const open = useCallback(
    (id?: string) => {
      setMenuOpen(false);
      openTalk(id);
    },
    [openTalk],
  );
  useShortcut("new", () => open());
  useShortcut("menu", () => setMenuOpen((isOpen) => !isOpen));
  useShortcut("stop", () => {
    if (!view.isWorking || !isConnected) return false;
    talk.stop();
  });
  const readOlder = () => void client.readOlder(sessionId);
  const isDeleted = view.state === "deleted";
  const isEmpty = !items.length && view.state === "live" && !isDeleted;

  return (
    <div className="page">
      <Sidebar
        listing={listing}
        list={chat.list}
        marks={marks}
        isLive={isConnected}
        unsent={unsentOf(outbox, listing)}
        current={sessionId}
        owner={who.owner}
        isOpen={isMenuOpen}
        onOpen={open}
        onClose={() => setMenuOpen(false)}
        onSettings={onSettings}
        onSignOut={onSignOut}
      />
      <main className={drop.isOver ? "main main-drop" : "main"} {...drop.handlers}>
        <header className="head">
          <button
            type="button"
            className="quiet only-narrow"
            aria-label={WORDS.sessions}
            aria-expanded={isMenuOpen}
            aria-controls="sessions"
            onClick={() => setMenuOpen(true)}
          >
            <Icon name="menu" />
          </button>
          <h1 dir="auto">{title}</h1>
          <ContextMeter view={view} info={talk.info} profile={talk.profile} />
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
          actions={talk.actions}
          empty={
            <>
              {isEmpty && <Welcome isDemo={who.demoGateway} onSend={talk.send} />}
              {isDeleted && <p className="note">{WORDS.deleted}</p>}
            </>
          }
          oldest={<OldestLine view={view} onRead={readOlder} />}
          onNearTop={view.hasMore && view.reading === "no" ? readOlder : undefined}
          sent={talk.sent}
          status={<RunStatus view={view} connection={connection} onAnswer={talk.answer} />}
        />
        <div className="dock column">
          {drop.isOver && <p className="note">{ATTACHMENTS.drop}</p>}
          {talk.failure !== undefined && (
            <p className="note note-needs" role="alert">
              {talk.failure}
            </p>
          )}
          <QueueList queue={view.queue} onCancel={talk.cancel} onEdit={talk.edit} />
          <Composer
            key={sessionId}
            message={talk.message}
            isWorking={view.isWorking}
            canStop={isConnected}
            options={
              <SessionOptions
                profiles={talk.profiles}
                profile={talk.profile}
                model={talk.model}
                choices={talk.choices}
                onChange={talk.choose}
              />
            }
            onSend={(onBusy) => talk.send(talk.message.take(), onBusy)}
            onStop={talk.stop}
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
      found.set(one.sessionId, partsOf(one.input).text || ATTACHMENTS.image);
  return [...found].map(([id, title]) => ({ id, title }));
}
