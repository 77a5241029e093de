/** What the chat shows, as one value for React: at most one new one in each frame. */
import { useSyncExternalStore } from "react";
import { Client, newId, type ConnectionState, type Outgoing, type SessionView } from "../client";
import { isKnownKey, readKnown, remember, type KnownSession } from "./known_sessions";
import { store } from "./storage";

export interface ChatState {
  readonly connection: ConnectionState;
  readonly sessionId: string;
  readonly view: SessionView;
  readonly outbox: readonly Outgoing[];
  readonly sessions: readonly KnownSession[];
}

const HIDDEN_PAUSE = 250;

export class ChatStore {
  readonly client: Client;
  private readonly listeners = new Set<() => void>();
  private isPlanned = false;
  private sessionId: string;
  private sessions: readonly KnownSession[];
  private state: ChatState;

  constructor(private readonly owner: string) {
    this.sessions = readKnown(owner);
    this.client = new Client({ url: "", owner, store, onChange: () => this.plan() });
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
      if (document.visibilityState === "visible") this.client.wake();
    };
    const stored = (event: StorageEvent) => this.stored(event.key);
    const moved = () => this.show(sessionOfAddress());
    window.addEventListener("online", wake);
    window.addEventListener("focus", wake);
    document.addEventListener("visibilitychange", wake);
    window.addEventListener("storage", stored);
    window.addEventListener("popstate", moved);
    this.client.open();
    return () => {
      window.removeEventListener("online", wake);
      window.removeEventListener("focus", wake);
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("storage", stored);
      window.removeEventListener("popstate", moved);
      this.client.close();
    };
  }

  /** Open a session; without an id, a new one. */
  open(id?: string): void {
    history.pushState(null, "", id === undefined ? "/" : addressOf(id));
    this.show(id);
  }

  send(text: string, onBusy: "queue" | "interrupt"): void {
    const known = this.sessions.find((one) => one.id === this.sessionId);
    const title = known?.title ?? text;
    this.sessions = remember(this.owner, { id: this.sessionId, title, at: Date.now() });
    if (sessionOfAddress() !== this.sessionId)
      history.replaceState(null, "", addressOf(this.sessionId));
    this.client.send(this.sessionId, text, onBusy);
  }

  private show(id: string | undefined): void {
    this.sessionId = id ?? newId();
    if (id === undefined) this.client.begin(this.sessionId);
    else this.client.watch(id);
    this.plan();
  }

  private stored(key: string | null): void {
    if (isKnownKey(this.owner, key)) {
      this.sessions = readKnown(this.owner);
      this.plan();
    } else if (key?.startsWith("holdfast.outbox.") || key === null) {
      this.client.outbox.reload();
      void this.client.outbox.flush();
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
    this.state = this.read();
    this.rememberTitle();
    for (const listener of this.listeners) listener();
  }

  private read(): ChatState {
    return {
      connection: this.client.state,
      sessionId: this.sessionId,
      view: this.client.view(this.sessionId),
      outbox: this.client.outbox.items,
      sessions: this.sessions,
    };
  }

  private rememberTitle(): void {
    const { title, sessionId } = this.state.view;
    const known = this.sessions.find((one) => one.id === sessionId);
    if (title === undefined || (known && known.title === title)) return;
    const at = known?.at ?? Date.now();
    this.sessions = remember(this.owner, { id: sessionId, title, at });
    this.state = this.read();
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
