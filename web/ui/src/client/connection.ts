/**
 * The socket, and the truth about it: whether it is live, since when not, and when it is tried next.
 *
 * It is tried without limit, with growing pauses, and at once when `wake` says that something may
 * have changed (the page is seen again, the network is back). A server that refuses the token is not
 * tried again: somebody has to sign in first.
 */
import { io, type Socket } from "socket.io-client";
import { NAMESPACE, type Reply, type Requests } from "./protocol.generated";

/** Times are in milliseconds, as `Date.now` gives them. */
export type ConnectionState =
  | { readonly kind: "connecting"; readonly since: number }
  | { readonly kind: "live"; readonly since: number }
  | { readonly kind: "waiting"; readonly since: number; readonly retryAt: number }
  | { readonly kind: "signed-out"; readonly since: number }
  | { readonly kind: "closed"; readonly since: number };

export interface ConnectionOptions {
  /** The server; empty: that of the page. */
  readonly url: string;
  /** Not needed by the page, which has a cookie. */
  readonly token?: string;
  readonly profile?: string;
  /** Called for every event of the server. */
  readonly onEvent: (name: string, payload: Record<string, unknown>) => void;
  readonly onState: (state: ConnectionState) => void;
}

/** The request may or may not have reached the server: nobody has answered it. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 15_000;
const CONNECT_WITHIN = 10_000;
const REFUSED = "Authentication failed";

export class Connection {
  private state_: ConnectionState;
  private readonly socket: Socket;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private lostAt: number | undefined;

  constructor(private readonly options: ConnectionOptions) {
    this.state_ = { kind: "closed", since: Date.now() };
    this.socket = io(options.url + NAMESPACE, {
      autoConnect: false,
      reconnection: false,
      forceNew: true,
      timeout: CONNECT_WITHIN,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      upgrade: false,
      withCredentials: true,
      query: { protocol: "2", recovery: "0", profile: options.profile ?? "default" },
      ...(options.token !== undefined && { auth: { token: options.token } }),
    });
    this.socket.on("connect", () => this.connected());
    this.socket.on("connect_error", (error) => this.failed(error.message));
    this.socket.on("disconnect", () => this.lost());
    this.socket.onAny((name: string, payload: unknown) => {
      if (typeof payload === "object" && payload !== null)
        this.options.onEvent(name, payload as Record<string, unknown>);
    });
  }

  get state(): ConnectionState {
    return this.state_;
  }

  get isLive(): boolean {
    return this.state_.kind === "live";
  }

  /** Connect now, unless it is connected or about to be. */
  open(): void {
    if (this.state_.kind === "live" || this.state_.kind === "connecting") return;
    clearTimeout(this.timer);
    this.set({ kind: "connecting", since: this.lostAt ?? Date.now() });
    this.socket.connect();
  }

  /** Something may have changed: do not wait for the next try. */
  wake(): void {
    if (this.state_.kind === "waiting") {
      this.tries = 0;
      this.open();
    }
  }

  /** What looks connected is not: connect anew. */
  restart(): void {
    if (this.state_.kind === "closed") return;
    this.socket.disconnect(); // reports `disconnect`, and so waits
    this.tries = 0;
    if (this.state_.kind !== "waiting") this.lost();
    this.open();
  }

  close(): void {
    clearTimeout(this.timer);
    this.set({ kind: "closed", since: Date.now() });
    this.socket.disconnect();
  }

  /** Send a request; its acknowledgement. Rejects with NoAnswer after `within` milliseconds, or if
   * there is no connection. */
  async request<N extends keyof Requests>(
    name: N,
    payload: Requests[N],
    within = 10_000,
  ): Promise<Reply> {
    if (!this.isLive) throw new NoAnswer("There is no connection.");
    try {
      return (await this.socket.timeout(within).emitWithAck(name, payload)) as Reply;
    } catch {
      throw new NoAnswer("The server has not answered.");
    }
  }

  private connected(): void {
    this.tries = 0;
    this.lostAt = undefined;
    this.set({ kind: "live", since: Date.now() });
  }

  private failed(message: string): void {
    if (message === REFUSED) {
      clearTimeout(this.timer);
      this.set({ kind: "signed-out", since: Date.now() });
      this.socket.disconnect();
      return;
    }
    this.lost();
  }

  private lost(): void {
    if (this.state_.kind === "closed" || this.state_.kind === "signed-out") return;
    this.lostAt ??= Date.now();
    const pause =
      Math.min(FIRST_PAUSE * 2 ** this.tries, LONGEST_PAUSE) * (0.8 + Math.random() * 0.4);
    this.tries += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), pause);
    this.set({ kind: "waiting", since: this.lostAt, retryAt: Date.now() + pause });
  }

  private set(state: ConnectionState): void {
    this.state_ = state;
    this.options.onState(state);
  }
}
