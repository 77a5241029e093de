// Generated from the models of web/api/http; do not edit. To renew it:
// python -m web.api.http.typescript

/** One POST to the gateway. `never_sent`: it did not leave, or was refused. `proof`: by which it is known that the gateway never had it. `double_post`: the gateway had another one, too. */
export interface Attempt {
  attempt: number;
  posted_at: number | null;
  gateway_run_id: string | null;
  never_sent: boolean;
  proved_absent_at: number | null;
  proof: string | null;
  double_post: boolean;
}

/** One summary of the session's older turns, in tokens and messages of the session. */
export interface Compression {
  kind: string;
  started_at: number;
  ended_at: number | null;
  result: string | null;
  trigger_tokens: number;
  threshold: number;
  after_tokens: number | null;
  before_messages: number;
  after_messages: number | null;
}

/** How many runs have this in common. */
export interface Counted {
  key: string;
  count: number;
}

/** The usage of one model on one day, `YYYY-MM-DD` in UTC. */
export interface DayOfModel {
  runs: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  estimated_cost_usd: number | null;
  actual_cost_usd: number | null;
  day: string;
  model: string | null;
}

/** The answer to a deletion. */
export interface DeletedSession {
  object: "hermes.session.deleted";
  id: string;
  deleted: true;
}

/** A page of them, the latest first. */
export interface DeletionPage {
  object: "list";
  data: (ParkedDeletion)[];
  has_more: boolean;
  next_cursor: string | null;
}

/** The last run of a job. `error`: the kind of failure, null if it went well. `result`: what it did, by kind. `seconds`: how long it took. */
export interface JobFigures {
  job: string;
  ended_at: number;
  seconds: number;
  error: string | null;
  result: Record<string, unknown>;
  next_at: number;
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

/** One event. `characters`: of a piece of text. `payload`: the event as JSON, cut to 2,000 characters; null for everybody but the owner. */
export interface LogEntry {
  seq: number;
  event: string;
  at: number | null;
  characters: number | null;
  payload: string | null;
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

/** Deletions that were given up. `oldest`: seconds since the first was. */
export interface Parked {
  count: number;
  oldest: number | null;
}

/** A session at a gateway that could not be deleted. */
export interface ParkedDeletion {
  profile: string;
  session_id: string;
  attempts: number;
  error: string | null;
  created_at: number;
  parked_at: number;
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

/** The open runs of one profile. Ages in seconds. */
export interface ProfileQueue {
  profile: string;
  waiting: number;
  live: number;
  slots: Slots;
  oldest_waiting: number | null;
  oldest_live: number | null;
}

/** The answer to `GET /api/queue`. `scope`: runs of all users, or `own`. `runs`: the oldest; `has_more`: there are further ones. `workers`: how many have a live run. `worker_slots`: those of all workers; its total is null unless all of them report it. `flower_url`: of the page of the task queues, if it is set. These, `worker_list`, `parked_deletions` and `jobs` are null for who is no operator. */
export interface QueueReport {
  object: "queue";
  scope: "all" | "own";
  waiting: number;
  live: number;
  slots: Slots;
  oldest_waiting: number | null;
  oldest_live: number | null;
  profiles: (ProfileQueue)[];
  runs: (RunFigures)[];
  has_more: boolean;
  workers: number | null;
  worker_slots: Slots | null;
  worker_list: (WorkerFigures)[] | null;
  flower_url: string | null;
  parked_deletions: Parked | null;
  jobs: (JobFigures)[] | null;
}

/** Requests that may be sent to this process: `limit` at once, `remaining` now, all again in `reset` seconds; `per_second` on average. */
export interface RequestRate {
  limit: number;
  remaining: number;
  reset: number;
  per_second: number;
}

/** The answer to a retry: how many were parked, and are tried again. */
export interface RetriedDeletions {
  object: "deletions.retry";
  retried: number;
}

/** The answer to a retry: the new run. */
export interface RetriedRun {
  run_id: string;
  status: "started";
  retry_of: string;
}

/** Each may do what those before it may. */
export type Role = "user" | "operator" | "admin";

/** The answer to `GET /api/runs/counts`: open runs, and ended ones that were made since `since`. Each list counts what it would show together with the other filters of the request. `complete`: false if there were more than are counted. */
export interface RunCountsReport {
  object: "runs.counts";
  scope: "all" | "own";
  since: number;
  statuses: StatusCounts;
  profiles: (Counted)[];
  owners: (Counted)[];
  reasons: (Counted)[];
  complete: boolean;
}

/** A run without its contents. `worker`: null for who is no operator. `first_token_at`: by its worker's clock. `output_tokens`: as the gateway counted them, at the end; `characters`: of text and reasoning so far, while it is live. */
export interface RunFigures {
  object: "run";
  run_id: string;
  owner: string;
  session_id: string | null;
  profile: string;
  model: string | null;
  status: "queued" | "running" | "waiting_for_approval" | "stopping" | "completed" | "failed" | "cancelled" | "interrupted";
  reason: string | null;
  created_at: number;
  claimed_at: number | null;
  first_token_at: number | null;
  ended_at: number | null;
  queue_position: number | null;
  attempts: number;
  takeovers: number;
  output_tokens: number | null;
  characters: number | null;
  worker: string | null;
}

/** `ends_in`: seconds; negative if it was not renewed, and no other worker has the run yet. */
export interface RunLease {
  run_id: string;
  ends_in: number | null;
}

/** The answer to `GET /api/runs/{run_id}/log`. `available`: false if there is no log (it expired after the end, or Redis does not answer). `first`: the first event that is kept by itself. `ended`: nothing follows. */
export interface RunLogPage {
  object: "run.log";
  run_id: string;
  available: boolean;
  epoch: number | null;
  first: number | null;
  head: number | null;
  ended: boolean;
  data: (LogEntry)[];
  has_more: boolean;
}

/** A page of runs, the newest first. */
export interface RunPage {
  object: "list";
  data: (RunFigures)[];
  has_more: boolean;
  next_cursor: string | null;
}

/** The answer to `GET /api/runs/stats`. The last bucket is not over. A profile of null stands for all further ones. `complete`: false if there were more runs than are looked at. */
export interface RunStatsReport {
  object: "runs.stats";
  scope: "all" | "own";
  window: "hour" | "day" | "week";
  now: number;
  width: number;
  profiles: (string | null)[];
  buckets: (StatsBucket)[];
  usage: (DayOfModel)[];
  complete: boolean;
}

/** The answer to `GET /api/runs/{run_id}/timeline`. `source`: what the steps between claim and end are from: `stored` with the end, the `log`, or neither (`rows`). `left_out`: steps for which there was no place. */
export interface RunTimeline {
  object: "run.timeline";
  run_id: string;
  owner: string;
  session_id: string | null;
  profile: string;
  status: "queued" | "running" | "waiting_for_approval" | "stopping" | "completed" | "failed" | "cancelled" | "interrupted";
  reason: string | null;
  takeovers: number;
  worker: string | null;
  steps: (TimelineStep)[];
  left_out: number;
  source: "stored" | "log" | "rows";
  attempts: (Attempt)[];
  compressions: (Compression)[];
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

/** A message as the gateway shows one, with its run. `error`, `duration`: of a tool, whether it failed and how many seconds it ran. `reasoning_duration`: seconds that an answer was thought about before it began. */
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
  error: boolean | null;
  duration: number | null;
  reasoning_duration: number | null;
}

/** Live runs, and how many there may be; null: no limit is set, or only operators see it. */
export interface Slots {
  in_use: number;
  total: number | null;
}

/** A part of a message. `ranges`: beginning and end of what was found, in characters. */
export interface Snippet {
  text: string;
  ranges: ([number, number])[];
}

/** Runs that were made from `at` on for `width` seconds. `wait`: until a worker had it; `first_token`: until the first text. `live`: live runs at its end, as many as `profiles`. */
export interface StatsBucket {
  at: number;
  outcomes: StatusCounts;
  wait: Waits;
  first_token: Waits;
  live: (number)[];
}

/** Runs by status. */
export interface StatusCounts {
  queued: number;
  running: number;
  stopping: number;
  completed: number;
  failed: number;
  cancelled: number;
  interrupted: number;
}

/** The answer to a stop. `cancelled`: the run had not begun. */
export interface StoppedByAdmin {
  run_id: string;
  status: "stopping" | "cancelled";
}

/** One step. `at` is null where the log did not say when it was; the other fields are there where they have a value. */
export interface TimelineStep {
  at: number | null;
  step: "queued" | "claimed" | "posted" | "started" | "first_token" | "tool_started" | "tool_completed" | "approval_requested" | "approval_answered" | "approval_resolved" | "compression_started" | "compression_ended" | "retrying" | "reattached" | "stop_requested" | "ended";
  attempt?: number | null;
  taken_over?: boolean | null;
  tool?: string | null;
  duration?: number | null;
  failed?: boolean | null;
  approval_id?: number | null;
  choice?: string | null;
  reason?: string | null;
  delay?: number | null;
  mode?: string | null;
}

/** How a turn ended that was not answered. `unconfirmed`: the gateway did not say that it stopped. */
export interface TurnEnd {
  run_id: string;
  status: "failed" | "aborted";
  reason?: string | null;
  error?: string | null;
  unconfirmed?: boolean;
}

/** Seconds: half, and 95 percent, of `count` runs waited at most so long. */
export interface Waits {
  count: number;
  p50: number | null;
  p95: number | null;
}

/** A worker. `live`: its live runs, of which `leases` has up to 50, the one that ends first at the front. `slots`: ordinary runs that it takes at once; `takeover_slots`: further ones for runs of dead workers; `draining`: it takes no new ones; `reported`: seconds since it said so. All four are null for a worker that does not report: it is dead, or of an earlier version. */
export interface WorkerFigures {
  worker: string;
  live: number;
  slots: number | null;
  takeover_slots: number | null;
  draining: boolean | null;
  reported: number | null;
  leases: (RunLease)[];
}
