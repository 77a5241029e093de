/** One client: a connection, the sessions that it watches, and the outbox. */
import { Connection, NoAnswer, type ConnectionState } from "./connection";
import type { MessageList, SessionAnswer } from "./api.generated";
import type { AnyEvent } from "./fold";
import { ask, Refused, sessionPath, type Access } from "./http";
import { newId } from "./ids";
import { oldestOf, withOlder, withoutOlder } from "./older";
import type { Input } from "./input";
import { Outbox, type Choices, type Store } from "./outbox";
import { RUN_EVENTS, SESSION_EVENTS, type Reply, type Requests } from "./protocol.generated";
import {
  countOf,
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

export interface ClientOptions extends Access {
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
  /** The outbox's accepted messages of that moment. */
  accepted?: readonly string[];
}

const ON_RUN = new Set<string>(RUN_EVENTS);
const ON_SESSION = new Set<string>(SESSION_EVENTS);
const VIEWS = 20;
/** Characters of a request that surely fit into a frame, whose bytes are more. */
const FRAME = 200_000;
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
      send: (run, profile) => this.sendRun(run, profile),
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

  /** The sessions that were shown or are followed, as far as they are kept. */
  views(): readonly SessionView[] {
    return [...this.watched.values()].map((one) => one.view);
  }

  /** Take part in sessions that are not shown, so that their events come too. */
  follow(sessionIds: readonly string[]): void {
    for (const sessionId of sessionIds) {
      const found = this.watched.get(sessionId);
      if (found?.view.state === "live" || found?.view.state === "deleted") continue;
      this.keep(sessionId);
      void this.resume(sessionId, found ? "after" : "all");
    }
  }

  /** Show a session: what was, and everything that follows. */
  watch(sessionId: string): void {
    this.leave(sessionId);
    const found = this.watched.get(sessionId);
    if (found?.view.state === "live") return;
    this.keep(sessionId);
    void this.resume(sessionId, "all");
  }

  /** A session that does not exist yet: there is nothing to ask for. */
  begin(sessionId: string): void {
    this.leave(sessionId);
    const now = Date.now();
    const view: SessionView = { ...emptyView(sessionId, now), state: "live" };
    this.watched.set(sessionId, { view, asked: undefined });
    this.options.onChange();
  }

  /** Read a page of the messages before those that are here, if there are any. */
  async readOlder(sessionId: string): Promise<void> {
    const before = oldestOf(this.view(sessionId));
    if (before === undefined) return;
    this.change(sessionId, (view) => ({ view: { ...view, reading: "loading" } }));
    try {
      const path = sessionPath(sessionId, `/messages?before=${before}`);
      const page = await ask<MessageList>(this.options, "GET", path);
      this.change(sessionId, (view) => ({ view: withOlder(view, page, before) }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.change(sessionId, (view) => ({ view: { ...view, reading: "failed" } }));
    }
  }

  /** Send a message, now or as soon as there is a connection; it is kept until then. */
  send(
    sessionId: string,
    input: Input,
    onBusy: "queue" | "interrupt" = "queue",
    choices: Choices = {},
  ): void {
    const view = this.view(sessionId);
    const before = view.state === "loading" ? undefined : countOf(view, input);
    this.outbox.add(sessionId, input, onBusy, choices, before);
  }

  /** A copy of the session up to this message; without one a new session. Its id. Rejects with
   * Refused. */
  async fork(sessionId: string, upTo: number | undefined): Promise<string> {
    const answer =
      upTo === undefined
        ? await ask<SessionAnswer>(this.options, "POST", "/api/sessions", { id: newId() })
        : await ask<SessionAnswer>(this.options, "POST", sessionPath(sessionId, "/fork"), {
            up_to: upTo,
          });
    return answer.session.id;
  }

  /** Stop the live run. */
  abort(sessionId: string): Promise<Reply> {
    return this.answered(() => this.connection.request("abort", { session_id: sessionId }));
  }

  /** Take a waiting message back. */
  cancel(sessionId: string, runId: string): Promise<Reply> {
    const payload = { session_id: sessionId, run_id: runId };
    return this.answered(() => this.connection.request("queue.cancel", payload));
  }

  /** Answer a question of the agent. */
  async answer(sessionId: string, questionId: number, choice: string): Promise<Reply> {
    this.change(sessionId, (view) => ({ view: withChoice(view, questionId, choice) }));
    const payload = { session_id: sessionId, approval_id: questionId, choice };
    const reply = await this.answered(() => this.connection.request("approval", payload));
    if (!reply.ok) {
      const isGone = reply.error.code === "expired" || reply.error.code === "not_found";
      this.change(sessionId, (view) => ({
        view: isGone ? withoutQuestion(view, questionId) : withChoice(view, questionId, undefined),
        ...(isGone && { ask: "all" as const }),
      }));
    }
    return reply;
  }

  /** What is too large for a socket, or names a profile, goes over HTTP. */
  private async sendRun(run: Requests["run"], profile: string | undefined): Promise<Reply> {
    if (profile === undefined && JSON.stringify(run).length < FRAME)
      return this.connection.request("run", run);
    const query = profile === undefined ? "" : `?profile=${encodeURIComponent(profile)}`;
    try {
      const reply = await ask<{ run_id: string }>(this.options, "POST", `/v1/runs${query}`, run);
      // This socket is no member of a session that did not exist before.
      if (run.session_id !== undefined) void this.resume(run.session_id, "all");
      return { ok: true, run_id: reply.run_id };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { code, message } = error;
      if (code === "no_answer") throw new NoAnswer(message);
      return { ok: false, error: { code, message } };
    }
  }

  private leave(next: string): void {
    if (this.current !== undefined && this.current !== next)
      this.change(this.current, (view) => ({ view: withoutOlder(view) }));
    this.current = next;
  }

  private async answered(request: () => Promise<Reply>): Promise<Reply> {
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
    watched.accepted = this.outbox.acceptedOf(sessionId);
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
      if (oldest !== this.current) this.watched.delete(oldest);
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
    if (watched) {
      watched.asked = undefined;
      // What was accepted before and is not here was taken back elsewhere.
      if (!given.replay && !given.degraded) this.outbox.forget(watched.accepted ?? []);
    }
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
  if (view === before) return { ...change, view };
  return { ...change, view: { ...view, heardAt: Date.now() } };
}

/** Whether the prompt of a run is to be seen. */
function shows(view: SessionView, runId: string): boolean {
  return (
    view.queue.some((one) => one.run_id === runId) ||
    view.stored.some((one) => one.run_id === runId && one.role === "user")
  );
}
