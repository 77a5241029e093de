/** A session of a list, for tests. */
import type { ListedSession } from "../client/api.generated";

export function sampleSession(fields: Partial<ListedSession> & { id: string }): ListedSession {
  return {
    source: "api_server",
    user_id: null,
    model: null,
    title: fields.id,
    started_at: 0,
    ended_at: null,
    end_reason: null,
    message_count: 2,
    tool_call_count: 0,
    input_tokens: 0,
    output_tokens: 0,
    cache_read_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
    estimated_cost_usd: null,
    actual_cost_usd: null,
    cost_status: null,
    parent_session_id: null,
    last_active: 0,
    preview: null,
    has_system_prompt: false,
    has_model_config: false,
    profile: "default",
    workspace: null,
    pinned: false,
    archived: false,
    stored_bytes: 0,
    ...fields,
  };
}
