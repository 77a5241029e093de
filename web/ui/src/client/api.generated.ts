// Generated from the models of web/api/http; do not edit. To renew it:
// python -m web.api.http.typescript

/** The answer to a deletion. */
export interface DeletedSession {
  object: "hermes.session.deleted";
  id: string;
  deleted: true;
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

/** A page of messages, in order of time. */
export interface MessageList {
  object: "list";
  session_id: string;
  data: (SessionMessage)[];
  has_more: boolean;
  next_cursor: string | null;
}

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
