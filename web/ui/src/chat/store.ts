/** What the chat shows, as one value for React: at most one new one in each frame. */
import { useSyncExternalStore } from "react";
import {
  Client,
  newId,
  type Choices,
  type ConnectionState,
  type Input,
  type Outgoing,
  type SessionView,
} from "../client";
import { marksOf, unlessSame, type Marks } from "../sessions/marks";
import { SessionListStore, type Listing } from "../sessions/session_list";
import { store } from "./storage";

export interface ChatState {
  readonly connection: ConnectionState;
  readonly sessionId: string;
  readonly view: SessionView;
  readonly outbox: readonly Outgoing[];
  readonly listing: Listing;
  readonly marks: Marks;
  /** The session has no address yet: nothing was sent in it. */
  readonly isNew: boolean;
}

const HIDDEN_PAUSE = 250;
/** Events after which a session is elsewhere in the list, or has another title. */
const CHANGES_LIST = new Set([
  "message.added",
  "run.completed",
  "run.failed",
  "session.updated",
  "session.deleted",
]);

export class ChatStore {
  readonly client: Client;
  readonly list: SessionListStore;
  private readonly listeners = new Set<() => void>();
  private isPlanned = false;
  private sessionId: string;
  private isNew: boolean;
  private marks: Marks = new Map();
  private state: ChatState;

  constructor(owner: string) {
    this.isNew = sessionOfAddress() === undefined;
    this.client = new Client({
      url: "",
      owner,
      store,
      onChange: () => this.plan(),
      onEvent: (name) => {
        if (CHANGES_LIST.has(name)) this.list.refresh();
      },
    });
    this.list = new SessionListStore({
      owner,
      onChange: () => this.plan(),
      onLive: (ids) => this.client.follow(ids),
    });
    this.sessionId = sessionOfAddress() ?? newId();
    this.state = this.read();
    if (sessionOfAddress() === undefined) this.client.begin(this.sessionId);
    else this.client.watch(this.sessionId);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): ChatState => this.state;

  /** Connect, and follow what the browser says; the function ends that. */
  start(): () => void {
    const wake = () => {
      if (document.visibilityState !== "visible") return;
      this.client.wake();
      this.list.refresh();
    };
    const stored = (event: StorageEvent) => this.stored(event.key);
    const moved = () => this.show(sessionOfAddress());
    window.addEventListener("online", wake);
    window.addEventListener("focus", wake);
    window.addEventListener("pageshow", wake);
    document.addEventListener("visibilitychange", wake);
    document.addEventListener("resume", wake); // it was frozen while the device slept
    const closing = () => this.list.hurry();
    window.addEventListener("storage", stored);
    window.addEventListener("pagehide", closing);
    window.addEventListener("popstate", moved);
    this.client.open();
    this.list.start();
    return () => {
      window.removeEventListener("online", wake);
      window.removeEventListener("focus", wake);
      window.removeEventListener("pageshow", wake);
      document.removeEventListener("visibilitychange", wake);
      document.removeEventListener("resume", wake);
      window.removeEventListener("storage", stored);
      window.removeEventListener("pagehide", closing);
      this.list.stop();
      window.removeEventListener("popstate", moved);
      this.client.close();
    };
  }

  /** Open a session; without an id, a new one. */
  open(id?: string): void {
    history.pushState(null, "", id === undefined ? "/" : addressOf(id));
    this.show(id);
  }

  send(input: Input, onBusy: "queue" | "interrupt", choices: Choices): void {
    if (this.isNew) history.replaceState(null, "", addressOf(this.sessionId));
    this.isNew = false;
    this.client.send(this.sessionId, input, onBusy, choices);
  }

  private show(id: string | undefined): void {
    this.sessionId = id ?? newId();
    this.isNew = id === undefined;
    if (id === undefined) this.client.begin(this.sessionId);
    else this.client.watch(id);
    this.plan();
  }

  private stored(key: string | null): void {
    this.list.stored(key);
    if (key?.startsWith("holdfast.outbox.") || key === null) {
      this.client.outbox.reload();
      void this.client.outbox.flush();
      this.list.refresh(); // another tab sends, or its message was taken
    }
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    const flush = () => this.flush();
    if (document.visibilityState === "visible") requestAnimationFrame(flush);
    else setTimeout(flush, HIDDEN_PAUSE);
  }

  private flush(): void {
    this.isPlanned = false;
    const wasLive = this.state.connection.kind === "live";
    this.state = this.read();
    if (!wasLive && this.state.connection.kind === "live") this.list.refresh();
    for (const listener of this.listeners) listener();
  }

  private read(): ChatState {
    this.marks = unlessSame(this.marks, marksOf(this.client.views(), this.list.value.live));
    return {
      connection: this.client.state,
      sessionId: this.sessionId,
      view: this.client.view(this.sessionId),
      outbox: this.client.outbox.items,
      listing: this.list.value,
      marks: this.marks,
      isNew: this.isNew,
    };
  }
}

export function useChat(chat: ChatStore): ChatState {
  return useSyncExternalStore(chat.subscribe, chat.snapshot);
}

function sessionOfAddress(): string | undefined {
  return new URLSearchParams(location.search).get("s") ?? undefined;
}

function addressOf(id: string): string {
  return `/?s=${encodeURIComponent(id)}`;
}
