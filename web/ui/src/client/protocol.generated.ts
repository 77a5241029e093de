// Generated from shared/protocol/events.py; do not edit. To renew it:
// python -m shared.protocol.typescript

export const NAMESPACE = "/chat-run";

/** A stored or live message of user, assistant or tool. */
export interface Message {
  id: string | number;
  session_id?: string;
  run_id?: string;
  role: "user" | "assistant" | "tool";
  content: string;
  reasoning: string;
  timestamp?: number;
  finish_reason?: string;
  tool_calls?: unknown[];
  tool_call_id?: string;
  tool_name?: string;
  error?: boolean;
  duration?: number;
  reasoning_duration?: number;
  content_blocks?: unknown[];
  truncated?: boolean;
}

/** A message that waits for the one before it; with `position`, for a free slot. */
export interface Waiting {
  run_id: string;
  input: string;
  created_at: number;
  position?: number;
  estimate?: number;
}

/** What a session will not have as long as its gateway is as it is. */
export interface Notice {
  code: string;
  missing: string[];
  message: string;
}

/** How a run ended that was not answered. */
export interface BadEnd {
  run_id: string;
  status: "failed" | "aborted";
  reason?: string;
  error?: string;
  unconfirmed?: boolean;
}

/** What all events of a run carry. */
export interface OfRun {
  event: string;
  run_id: string;
  epoch: number;
  seq: number;
  session_id?: string;
  timestamp?: number;
}

/** What all events of a session carry. */
export interface OfSession {
  event: string;
  session_id: string;
}

/** The acknowledgement of a request. */
export type Reply =
  | {
      ok: true;
      run_id?: string;
      session_id?: string;
      status?: string;
      approval_id?: number;
      input?: unknown;
    }
  | { ok: false; error: { code: string; message: string } };

export type RunState = "queued" | "running" | "stopping" | "completed" | "failed" | "aborted";

export type Reason = "worker_lost" | "gateway_unreachable" | "gateway_error" | "gateway_lost_run" | "post_uncertain" | "timeout" | "aborted" | "start_deadline" | "internal";

/** What a client may send. */
export interface Requests {
  /** Ask the agent. `on_busy` is `queue` (default), `reject` or `interrupt`. */
  "run": { input: unknown; session_id?: string; model?: string; instructions?: string; client_request_id?: string; on_busy?: "queue" | "reject" | "interrupt" };
  /** Show the session and go on with it. */
  "resume": { session_id?: string; run_id?: string; epoch?: number; after_seq?: number };
  /** Stop the live run, else the head of the queue. */
  "abort": { session_id?: string; run_id?: string };
  /** Take a waiting message out of the queue. The acknowledgement of one that had not begun has its `input`, as it was sent. */
  "queue.cancel": { session_id: string; run_id: string };
  /** Answer the agent's question: `once`, `session`, `always` or `deny`. `approval_id` is the seq of its `approval.request`; without it the oldest open one. */
  "approval": { session_id?: string; run_id?: string; choice: string; approval_id?: number };
}

/** Events of a run. */
export interface RunEvents {
  /** The gateway took the run. */
  "run.started": OfRun & { status: string; attempt: number; gateway_run_id: string };
  /** A piece of the answer. */
  "message.delta": OfRun & { delta: string };
  /** A piece of the reasoning. */
  "reasoning.delta": OfRun & { text: string };
  /** A piece of the reasoning, as other gateways name it. */
  "thinking.delta": OfRun & { text: string };
  /** Passed on; its text is the start of the answer. */
  "reasoning.available": OfRun & { text: string };
  /** The agent calls a tool. */
  "tool.started": OfRun & { tool: string; preview?: string; tool_call_id?: string };
  /** The tool is done. */
  "tool.completed": OfRun & { tool: string; duration?: number; error?: boolean; output?: unknown };
  /** The agent asks before it acts. */
  "approval.request": OfRun & { command: string; choices: string[]; [field: string]: unknown };
  /** Somebody answered. */
  "approval.responded": OfRun & { choice: string };
  /** Older turns get summarized. */
  "compression.started": OfRun & { message_count: number; token_count: number };
  /** Done with it. */
  "compression.completed": OfRun & { compressed: boolean; beforeTokens: number; afterTokens: number; [field: string]: unknown };
  /** A person asked to stop; the gateway is being asked. */
  "abort.started": OfRun & object;
  /** The gateway has stopped (`synced`), or did not say so. */
  "abort.completed": OfRun & { synced: boolean };
  /** The gateway cannot take it now, or did not say whether it has (`post_uncertain`); tried again in about `delay` seconds. */
  "run.retrying": OfRun & { reason: string; delay: number };
  /** The stream was lost. `replay`: live text goes on; `polling`: it pauses. */
  "run.reattached": OfRun & { mode: string };
  /** Tokens of the session's context. */
  "usage.updated": OfRun & { inputTokens: number; outputTokens: number };
  /** The end of a run that was answered, or stopped by a person (`aborted`; `synced: false`: the gateway did not say that it has stopped). */
  "run.completed": OfRun & { status: string; finish_reason: string; output: string; usage: Record<string, unknown>; inputTokens: number; outputTokens: number; resync?: boolean; synced?: boolean; [field: string]: unknown };
  /** The end of a failed run. */
  "run.failed": OfRun & { error: string; reason: string; inputTokens: number; outputTokens: number };
  /** The end of a run that never started. */
  "run.cancelled": OfRun & { status: string; reason: string };
}

/** Events of a session. */
export interface SessionEvents {
  /** The message waits for the one before it; with `position`, for a free slot: then so many runs of all users start up to this one, in about `estimate` seconds. */
  "run.queued": OfSession & { run_id: string; queue_length: number; position?: number; estimate?: number };
  /** The waiting messages, or the place of the first one, changed. */
  "queue.updated": OfSession & { queue: Waiting[] };
  /** Stored messages were replaced: resume to read them. */
  "messages.updated": OfSession & { run_id: string };
  /** A prompt's turn has started; for other tabs. */
  "message.added": OfSession & { message: Message };
  /** An answer came too late. */
  "approval.expired": OfSession & { run_id: string; approval_id: number };
  /** Somebody renamed it, or changed something else of it; this is how it is now. */
  "session.updated": OfSession & { title?: string; pinned: boolean; archived: boolean; workspace?: string; model?: string };
  /** The session is gone, with its runs and messages. */
  "session.deleted": OfSession & object;
}

/** Events to one socket. */
export interface SocketEvents {
  /** The answer to `resume`: everything so far; what follows is live. */
  "resumed": { messages: Message[]; total: number; hasMore: boolean; isWorking: boolean; events: { event: string; data: OfRun }[]; queue: Waiting[]; inputTokens: number; outputTokens: number; run_id?: string; epoch?: number; seq?: number; status?: string; title?: string; notices?: Notice[]; approvals?: OfRun[]; ends?: BadEnd[]; session_id?: string; replay?: boolean; degraded?: boolean };
  /** Your view cannot be continued: take this instead. */
  "session.resync": SocketEvents["resumed"];
  /** A refused request of a client that asked for no reply. */
  "error": { code: string; message: string };
}

export const RUN_EVENTS = ["run.started", "message.delta", "reasoning.delta", "thinking.delta", "reasoning.available", "tool.started", "tool.completed", "approval.request", "approval.responded", "compression.started", "compression.completed", "abort.started", "abort.completed", "run.retrying", "run.reattached", "usage.updated", "run.completed", "run.failed", "run.cancelled"] as const;

export const SESSION_EVENTS = ["run.queued", "queue.updated", "messages.updated", "message.added", "approval.expired", "session.updated", "session.deleted"] as const;

export const TERMINAL: ReadonlySet<string> = new Set(["run.cancelled", "run.completed", "run.failed"]);
