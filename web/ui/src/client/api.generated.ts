// Generated from the models of web/api/http; do not edit. To renew it:
// python -m web.api.http.typescript

/** The answer to a deletion. */
export interface DeletedSession {
  object: "hermes.session.deleted";
  id: string;
  deleted: true;
}

/** `requests`: all, by sockets and over HTTP. `starts`: those over HTTP that start runs. `requests_per_socket`: a second. Sizes in bytes. */
export interface Limits {
  requests: RequestRate;
  starts: RequestRate;
  connections: OpenConnections;
  requests_per_socket: number;
  sessions_per_socket: number;
  queue_per_session: number;
  session_bytes: number;
  body_bytes: number;
  frame_bytes: number;
}

/** A session of a list; `match` with a search. */
export interface ListedSession {
  id: string;
  source: string;
  user_id: string | null;
  model: string | null;
  title: string | null;
  started_at: number;
  ended_at: number | null;
  end_reason: string | null;
  message_count: number;
  tool_call_count: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  estimated_cost_usd: number | null;
  actual_cost_usd: number | null;
  cost_status: string | null;
  parent_session_id: string | null;
  last_active: number;
  preview: string | null;
  has_system_prompt: boolean;
  has_model_config: boolean;
  profile: string;
  workspace: string | null;
  pinned: boolean;
  archived: boolean;
  stored_bytes: number;
  match?: SessionMatch | null;
}

/** The answer. `expires_at`: when the token or cookie ends, in epoch seconds; null: it has no end of its own. */
export interface Me {
  object: "user";
  owner: string;
  role: Role;
  roles: (Role)[];
  expires_at: number | null;
  runs: OpenRuns;
  limits: Limits;
}

/** A page of messages, in order of time. `ends`: of those turns that were not answered. */
export interface MessageList {
  object: "list";
  session_id: string;
  data: (SessionMessage)[];
  has_more: boolean;
  next_cursor: string | null;
  ends: (TurnEnd)[];
}

/** Sockets and event streams at this process. */
export interface OpenConnections {
  limit: number;
  used: number;
}

/** Runs that wait, and that are live, in all sessions. */
export interface OpenRuns {
  waiting: number;
  live: number;
}

/** A gateway that runs may name. `context_length`: in tokens, if it is configured. `models` and `version` are null while the gateway does not answer. */
export interface ProfileEntry {
  name: string;
  default: boolean;
  context_length: number | null;
  available: boolean;
  version: string | null;
  model: string | null;
  models: (string)[] | null;
}

/** The profiles of this user. */
export interface ProfileList {
  object: "list";
  data: (ProfileEntry)[];
}

/** Requests that may be sent to this process: `limit` at once, `remaining` now, all again in `reset` seconds; `per_second` on average. */
export interface RequestRate {
  limit: number;
  remaining: number;
  reset: number;
  per_second: number;
}

/** Each may do what those before it may. */
export type Role = "user" | "operator" | "admin";

/** One session. */
export interface SessionAnswer {
  object: "hermes.session";
  session: SessionInfo;
}

/** `PATCH /api/sessions/{session_id}`: what is given is changed; null takes it away. */
export interface SessionChangesBody {
  title?: string | null;
  pinned?: boolean;
  archived?: boolean;
  workspace?: string | null;
  model?: string | null;
  profile?: string;
  end_reason?: string | null;
}

/** A session as the gateway shows one, and what only Holdfast knows of it. Times are epoch seconds. */
export interface SessionInfo {
  id: string;
  source: string;
  user_id: string | null;
  model: string | null;
  title: string | null;
  started_at: number;
  ended_at: number | null;
  end_reason: string | null;
  message_count: number;
  tool_call_count: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  estimated_cost_usd: number | null;
  actual_cost_usd: number | null;
  cost_status: string | null;
  parent_session_id: string | null;
  last_active: number;
  preview: string | null;
  has_system_prompt: boolean;
  has_model_config: boolean;
  profile: string;
  workspace: string | null;
  pinned: boolean;
  archived: boolean;
  stored_bytes: number;
}

/** A page of sessions: pinned ones first, then those of the latest activity. `total`: on all pages. `complete`: false if a search looked at the newest part only. */
export interface SessionList {
  object: "list";
  data: (ListedSession)[];
  limit: number;
  offset: number;
  has_more: boolean;
  next_cursor: string | null;
  total: number;
  complete: boolean;
}

/** What a search found in a session: `messages` of its messages, of which the newest one is shown; only its title if there is none. */
export interface SessionMatch {
  messages: number;
  message_id: number | null;
  role: string | null;
  snippet: Snippet | null;
}

/** A message as the gateway shows one, with its run. */
export interface SessionMessage {
  id: number;
  session_id: string;
  role: string;
  content: string;
  content_blocks: (unknown)[] | null;
  tool_call_id: string | null;
  tool_calls: (unknown)[] | null;
  tool_name: string | null;
  timestamp: number;
  token_count: number | null;
  finish_reason: string | null;
  reasoning: string | null;
  reasoning_content: string | null;
  run_id: string | null;
}

/** A part of a message. `ranges`: beginning and end of what was found, in characters. */
export interface Snippet {
  text: string;
  ranges: ([number, number])[];
}

/** How a turn ended that was not answered. `unconfirmed`: the gateway did not say that it stopped. */
export interface TurnEnd {
  run_id: string;
  status: "failed" | "aborted";
  reason?: string | null;
  error?: string | null;
  unconfirmed?: boolean;
}
