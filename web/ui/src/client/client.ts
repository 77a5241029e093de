/** One client: a connection, the sessions that it watches, and the outbox. */
import { Connection, NoAnswer, type ConnectionState } from "./connection";
import type { AnyEvent } from "./fold";
import { Outbox, type Store } from "./outbox";
import { RUN_EVENTS, SESSION_EVENTS, type Reply } from "./protocol.generated";
import {
  cursorOf,
  emptyView,
  withChoice,
  withoutQuestion,
  withRunEvent,
  withSessionEvent,
  withSnapshot,
  type Change,
  type SessionView,
  type Snapshot,
} from "./view";

export interface ClientOptions {
  /** The server; empty: that of the page. */
  readonly url: string;
  readonly token?: string;
  readonly profile?: string;
  /** Whose messages the outbox holds. */
  readonly owner: string;
  readonly store: Store;
  /** Called after every change of what can be read here. */
  readonly onChange: () => void;
  /** Called for each event of any session, after it was taken. */
  readonly onEvent?: (name: string, payload: Record<string, unknown>) => void;
}

interface Watched {
  view: SessionView;
  /** What was asked for and has not come. */
  asked: "all" | "after" | undefined;
}

const ON_RUN = new Set<string>(RUN_EVENTS);
const ON_SESSION = new Set<string>(SESSION_EVENTS);
const VIEWS = 20;
/** A sleeping device may have lost its connection without knowing it. */
const ANSWER_WITHIN = 5_000;

export class Client {
  readonly outbox: Outbox;
  private readonly connection: Connection;
  private readonly watched = new Map<string, Watched>();
  private current: string | undefined;

  constructor(private readonly options: ClientOptions) {
    this.connection = new Connection({
      url: options.url,
      ...(options.token !== undefined && { token: options.token }),
      ...(options.profile !== undefined && { profile: options.profile }),
      onEvent: (name, payload) => this.take(name, payload),
      onState: (state) => this.onState(state),
    });
    this.outbox = new Outbox({
      owner: options.owner,
      store: options.store,
      send: (run) => this.connection.request("run", run),
      isLive: () => this.connection.isLive,
      isSeen: (sessionId, runId) => shows(this.view(sessionId), runId),
      onChange: () => options.onChange(),
    });
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  open(): void {
    this.connection.open();
  }

  close(): void {
    this.outbox.stop();
    this.connection.close();
  }

  /** The page is seen again, or the network is back: connect now, or find out whether what looks
   * connected is. */
  wake(): void {
    if (!this.connection.isLive) this.connection.wake();
    else if (this.current !== undefined) void this.resume(this.current, "after", ANSWER_WITHIN);
  }

  /** What there is of a session. */
  view(sessionId: string): SessionView {
    return this.watched.get(sessionId)?.view ?? emptyView(sessionId, 0);
  }

  /** Show a session: what was, and everything that follows. */
  watch(sessionId: string): void {
    this.current = sessionId;
    const found = this.watched.get(sessionId);
    if (found?.view.state === "live") return;
    this.keep(sessionId);
    void this.resume(sessionId, "all");
  }

  /** A session that does not exist yet: there is nothing to ask for. */
  begin(sessionId: string): void {
    this.current = sessionId;
    const now = Date.now();
    const view: SessionView = { ...emptyView(sessionId, now), state: "live" };
    this.watched.set(sessionId, { view, asked: undefined });
    this.options.onChange();
  }

  /** Send a message, now or as soon as there is a connection; it is kept until then. */
  send(sessionId: string, input: string, onBusy: "queue" | "interrupt" = "queue"): void {
    this.outbox.add(sessionId, input, onBusy);
  }

  /** Stop the live run. */
  abort(sessionId: string): Promise<Reply> {
    return this.ask(() => this.connection.request("abort", { session_id: sessionId }));
  }

  /** Take a waiting message back. */
  cancel(sessionId: string, runId: string): Promise<Reply> {
    const payload = { session_id: sessionId, run_id: runId };
    return this.ask(() => this.connection.request("queue.cancel", payload));
  }

  /** Answer a question of the agent. */
  async answer(sessionId: string, questionId: number, choice: string): Promise<Reply> {
    this.change(sessionId, (view) => ({ view: withChoice(view, questionId, choice) }));
    const payload = { session_id: sessionId, approval_id: questionId, choice };
    const reply = await this.ask(() => this.connection.request("approval", payload));
    if (!reply.ok) {
      const isGone = reply.error.code === "expired" || reply.error.code === "not_found";
      this.change(sessionId, (view) => ({
        view: isGone ? withoutQuestion(view, questionId) : withChoice(view, questionId, undefined),
        ...(isGone && { ask: "all" as const }),
      }));
    }
    return reply;
  }

  private async ask(request: () => Promise<Reply>): Promise<Reply> {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return { ok: false, error: { code: "no_answer", message: error.message } };
    }
  }

  // --- the connection ---------------------------------------------------------------------------

  private onState(state: ConnectionState): void {
    if (state.kind === "live") this.onLive();
    else if (state.kind !== "connecting") this.markStale();
    this.options.onChange();
  }

  private onLive(): void {
    for (const watched of this.watched.values()) watched.asked = undefined;
    if (this.current !== undefined) {
      const found = this.watched.get(this.current);
      const has =
        found !== undefined && found.view.state !== "new" && found.view.state !== "loading";
      this.keep(this.current);
      void this.resume(this.current, has ? "after" : "all");
    }
    void this.outbox.flush();
  }

  private markStale(): void {
    const now = Date.now();
    for (const watched of this.watched.values()) {
      watched.asked = undefined;
      if (watched.view.state === "live")
        watched.view = { ...watched.view, state: "stale", since: now };
    }
  }

  /** Ask for a session, or for what followed the cursor. A connection on which nobody answers is
   * closed, and with the next one the session is asked for again. */
  private async resume(sessionId: string, what: "all" | "after", within?: number): Promise<void> {
    const watched = this.watched.get(sessionId);
    if (!watched || !this.connection.isLive) return;
    if (watched.asked === "all" || watched.asked === what) return;
    watched.asked = what;
    const cursor = what === "after" ? cursorOf(watched.view) : undefined;
    const after = cursor && {
      run_id: cursor.run_id,
      epoch: cursor.epoch,
      after_seq: cursor.seq,
    };
    let reply: Reply;
    try {
      reply = await this.connection.request("resume", { session_id: sessionId, ...after }, within);
    } catch {
      if (watched.asked === what) this.connection.restart();
      return;
    }
    if (watched.asked === what) watched.asked = undefined;
    if (reply.ok) return;
    // Another connection has room again; all else passes.
    if (reply.error.code === "too_many_sessions") this.connection.restart();
    else setTimeout(() => void this.resume(sessionId, "all"), 2_000);
  }

  private keep(sessionId: string): void {
    const now = Date.now();
    const found = this.watched.get(sessionId);
    const before = found?.view ?? emptyView(sessionId, now);
    const state = before.state === "new" ? "loading" : before.state;
    this.watched.delete(sessionId); // so that it moves to the end
    const view: SessionView = state === before.state ? before : { ...before, state, since: now };
    this.watched.set(sessionId, { view, asked: found?.asked });
    for (const oldest of this.watched.keys()) {
      if (this.watched.size <= VIEWS) break;
      this.watched.delete(oldest);
    }
    this.options.onChange();
  }

  // --- events -----------------------------------------------------------------------------------

  private take(name: string, payload: Record<string, unknown>): void {
    const sessionId = payload["session_id"];
    if (typeof sessionId === "string" && this.watched.has(sessionId)) {
      if (name === "resumed" || name === "session.resync")
        this.snapshot(sessionId, payload as unknown as Snapshot);
      else if (ON_SESSION.has(name))
        this.change(sessionId, (view) =>
          withSessionEvent(view, { ...payload, event: name }, Date.now()),
        );
      else if (ON_RUN.has(name) || typeof payload["seq"] === "number")
        this.change(sessionId, (view) => afterEvent(view, { ...payload, event: name } as AnyEvent));
    }
    this.options.onEvent?.(name, payload);
  }

  private snapshot(sessionId: string, given: Snapshot): void {
    this.change(sessionId, (view) => ({ view: withSnapshot(view, given, Date.now()) }));
    const watched = this.watched.get(sessionId);
    if (watched) watched.asked = undefined;
    if (given.degraded) setTimeout(() => void this.resume(sessionId, "all"), 3_000);
  }

  private change(sessionId: string, work: (view: SessionView) => Change): void {
    const watched = this.watched.get(sessionId);
    if (!watched) return;
    const { view, ask } = work(watched.view);
    const isChanged = view !== watched.view;
    watched.view = view;
    if (isChanged) this.outbox.forgetSeen();
    if (ask) void this.resume(sessionId, ask);
    if (isChanged) this.options.onChange();
  }
}

function afterEvent(before: SessionView, event: AnyEvent): Change {
  const { view, ...change } = withRunEvent(before, event);
  return { ...change, view: view === before ? view : { ...view, heardAt: Date.now() } };
}

/** Whether the prompt of a run is to be seen. */
function shows(view: SessionView, runId: string): boolean {
  return (
    view.queue.some((one) => one.run_id === runId) ||
    view.stored.some((one) => one.run_id === runId && one.role === "user")
  );
}
