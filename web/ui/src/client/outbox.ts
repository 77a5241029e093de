/**
 * What a person has sent and the server has not acknowledged. It is stored before it is sent, and
 * sent again with the same `client_request_id` until there is an answer, so it is never lost and
 * runs once. Each session's messages are sent in their order.
 */
import { newId } from "./ids";
import { isInput, type Input } from "./input";
import type { Reply, Requests } from "./protocol.generated";

/** What is chosen for a message, beside its text. */
export interface Choices {
  readonly model?: string;
  readonly instructions?: string;
  /** Of a session that does not exist yet. */
  readonly profile?: string;
}

export interface Outgoing extends Choices {
  /** Its `client_request_id`. */
  readonly id: string;
  readonly sessionId: string;
  readonly input: Input;
  readonly onBusy: "queue" | "interrupt";
  /** When it was sent, in milliseconds. */
  readonly at: number;
  /** `waiting`: not yet acknowledged. `accepted`: its run is known, but not seen yet. */
  readonly state: "waiting" | "accepted" | "refused";
  readonly runId?: string;
  /** How many prompts with this input the session had before, if that was known. */
  readonly before?: number;
  /** Why the server refused it, and the code of that. */
  readonly error?: string;
  readonly code?: string;
}

/** Where it is kept; localStorage fits. It may throw: then the message lives in memory alone. */
export interface Store {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface OutboxOptions {
  /** Whose messages these are; those of others stay where they are. */
  readonly owner: string;
  readonly store: Store;
  /** Sends a request. Rejects if nobody has answered. */
  readonly send: (run: Requests["run"], profile: string | undefined) => Promise<Reply>;
  readonly isLive: () => boolean;
  /** Whether the session shows the prompt of this run. */
  readonly isSeen: (sessionId: string, runId: string) => boolean;
  readonly onChange: () => void;
}

const PREFIX = "holdfast.outbox";
const RETRY_AFTER = 2_000;
/** Refusals that pass by themselves. */
const PASSING = new Set([
  "database_unavailable",
  "redis_unavailable",
  "draining",
  "too_many_requests",
  "internal",
]);

export class Outbox {
  private items_: readonly Outgoing[] = [];
  private readonly sending = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: OutboxOptions) {
    this.reload();
  }

  get items(): readonly Outgoing[] {
    return this.items_;
  }

  /** Store a message and send it as soon as there is a connection. */
  add(
    sessionId: string,
    input: Input,
    onBusy: Outgoing["onBusy"] = "queue",
    choices: Choices = {},
    before?: number,
  ): Outgoing {
    const item: Outgoing = {
      ...choices,
      ...(before !== undefined && { before }),
      id: newId(),
      sessionId,
      input,
      onBusy,
      // The clock may have been set back: what is sent later stays later.
      at: Math.max(Date.now(), ...this.items_.map((one) => one.at + 1)),
      state: "waiting",
    };
    this.put(item);
    void this.flush();
    return item;
  }

  /** Send a refused message again. */
  retry(id: string): void {
    const found = this.items_.find((item) => item.id === id);
    if (found?.state !== "refused") return;
    const { error: _error, code: _code, ...rest } = found;
    this.put({ ...rest, state: "waiting" });
    void this.flush();
  }

  /** Forget a message. */
  remove(id: string): void {
    try {
      this.options.store.removeItem(this.key(id));
    } catch {
      // it is forgotten here, and is sent once more by the next page: the same run
    }
    this.items_ = this.items_.filter((item) => item.id !== id);
    this.options.onChange();
  }

  /** Forget the accepted messages whose runs are seen. */
  forgetSeen(): void {
    const isDone = (item: Outgoing) =>
      item.state === "accepted" &&
      item.runId !== undefined &&
      this.options.isSeen(item.sessionId, item.runId);
    if (!this.items_.some(isDone)) return;
    this.items_ = this.items_.filter((item) => !isDone(item));
    this.options.onChange();
  }

  /** The ids of a session's accepted messages, whose runs were not seen yet. */
  acceptedOf(sessionId: string): readonly string[] {
    return this.items_
      .filter((item) => item.sessionId === sessionId && item.state === "accepted")
      .map((item) => item.id);
  }

  /** Forget accepted messages whose runs will not be seen any more. */
  forget(ids: readonly string[]): void {
    if (!this.items_.some((item) => ids.includes(item.id))) return;
    this.items_ = this.items_.filter((item) => !ids.includes(item.id));
    this.options.onChange();
  }

  /** Read what is stored: another tab may have added or sent something. */
  reload(): void {
    const kept = this.items_.filter((item) => item.state === "accepted");
    const stored = this.stored();
    const added = stored.filter((item) => !kept.some((one) => one.id === item.id));
    this.items_ = [...kept, ...added].sort((one, other) => one.at - other.at);
    this.options.onChange();
  }

  /** Send what waits, one message of each session at a time. */
  async flush(): Promise<void> {
    const sessions = new Set(this.items_.map((item) => item.sessionId));
    await Promise.all([...sessions].map((sessionId) => this.flushSession(sessionId)));
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private async flushSession(sessionId: string): Promise<void> {
    if (this.sending.has(sessionId)) return;
    this.sending.add(sessionId);
    try {
      for (let next = this.next(sessionId); next && this.options.isLive();) {
        if (!(await this.sendOne(next))) break;
        next = this.next(sessionId);
      }
    } finally {
      this.sending.delete(sessionId);
    }
  }

  private next(sessionId: string): Outgoing | undefined {
    return this.items_.find((item) => item.sessionId === sessionId && item.state === "waiting");
  }

  /** Whether the next one may be sent. */
  private async sendOne(item: Outgoing): Promise<boolean> {
    let reply: Reply;
    try {
      reply = await this.options.send(
        {
          input: item.input,
          session_id: item.sessionId,
          client_request_id: item.id,
          on_busy: item.onBusy,
          ...(item.model && { model: item.model }),
          ...(item.instructions && { instructions: item.instructions }),
        },
        item.profile,
      );
    } catch {
      this.later();
      return false;
    }
    if (reply.ok) {
      this.accept(item, reply.run_id);
      return true;
    }
    if (PASSING.has(reply.error.code)) {
      this.later();
      return false;
    }
    this.put({ ...item, state: "refused", error: reply.error.message, code: reply.error.code });
    return true;
  }

  private accept(item: Outgoing, runId: string | undefined): void {
    try {
      this.options.store.removeItem(this.key(item.id));
    } catch {
      // sending it once more would give the same run
    }
    const accepted: Outgoing = { ...item, state: "accepted", ...(runId && { runId }) };
    this.items_ = this.items_.map((one) => (one.id === item.id ? accepted : one));
    this.options.onChange();
    this.forgetSeen(); // the event may have come before the acknowledgement
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), RETRY_AFTER);
  }

  private put(item: Outgoing): void {
    try {
      this.options.store.setItem(this.key(item.id), JSON.stringify(item));
    } catch {
      // the storage is full or forbidden: it is sent all the same
    }
    const others = this.items_.filter((one) => one.id !== item.id);
    this.items_ = [...others, item].sort((one, other) => one.at - other.at);
    this.options.onChange();
  }

  private key(id: string): string {
    return `${PREFIX}.${this.options.owner}.${id}`;
  }

  private stored(): Outgoing[] {
    const found: Outgoing[] = [];
    try {
      const { store } = this.options;
      for (let index = 0; index < store.length; index += 1) {
        const key = store.key(index);
        if (!key?.startsWith(this.key(""))) continue;
        const item = parsed(store.getItem(key));
        if (item) found.push(item);
      }
    } catch {
      // no storage: there is nothing from before
    }
    return found;
  }
}

function parsed(text: string | null): Outgoing | undefined {
  try {
    const item = JSON.parse(text ?? "") as Outgoing;
    return typeof item.id === "string" && isInput(item.input) ? item : undefined;
  } catch {
    return undefined;
  }
}
