/**
 * What a client has of one session, and how snapshots and events change it. Pure.
 *
 * Problem: events may come twice, late, or with a gap, and a snapshot may overtake them. Idea: of
 * each run the view knows the epoch and the last seq that it has; an event is taken only if it is
 * the next one. Anything else is either known already or makes the view ask for what it lacks.
 */
import { continued, fold, type AnyEvent, type LiveMessage } from "./fold";
import { isInput, type Input } from "./input";
import { keptBefore } from "./older";
import {
  TERMINAL,
  type BadEnd,
  type Message,
  type Notice,
  type SocketEvents,
  type Waiting,
} from "./protocol.generated";

export type Snapshot = SocketEvents["resumed"];

/** How far a client is in a run. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

/** A question of the agent that waits for a person. */
export interface Question {
  readonly id: number;
  readonly runId: string;
  readonly command: string;
  readonly description: string;
  readonly choices: readonly string[];
  /** What somebody chose in this client; the agent has not confirmed it yet. */
  readonly chosen?: string;
}

/** How the last run of the session ended, as far as this client saw it. */
export interface End {
  readonly runId: string;
  readonly status: "completed" | "failed" | "aborted" | "cancelled";
  readonly error?: string;
  readonly reason?: string;
  /** The gateway did not say that it stopped. */
  readonly unconfirmed?: boolean;
}

export interface SessionView {
  readonly sessionId: string;
  /** `new`: nothing was asked for yet. `deleted`: there is no more to come. */
  readonly state: "new" | "loading" | "live" | "stale" | "deleted";
  /** Since when it is in that state, in milliseconds. */
  readonly since: number;
  readonly title?: string;
  /** Messages before `stored`, as far as they were read. */
  readonly older: readonly Message[];
  /** Whether messages before those are being read, or could not be. */
  readonly reading: "no" | "loading" | "failed";
  /** Messages of the runs before the live one, and its prompt. */
  readonly stored: readonly Message[];
  /** What the live run has said so far. */
  readonly live: readonly LiveMessage[];
  readonly liveRun?: string;
  readonly total: number;
  /** There are messages before those that are here. */
  readonly hasMore: boolean;
  readonly isWorking: boolean;
  readonly status?: string;
  readonly queue: readonly Waiting[];
  readonly questions: readonly Question[];
  /** The latest state event of each name of the live run: retrying, reattached, compression. */
  readonly states: ReadonlyMap<string, AnyEvent>;
  readonly end?: End;
  /** Run id -> how it ended, of the turns here that were not answered. */
  readonly ends: ReadonlyMap<string, BadEnd>;
  readonly notices: readonly Notice[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly degraded: boolean;
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** When the last event of a run was taken, in milliseconds of this computer. */
  readonly heardAt?: number;
}

/** A view and what has to be asked for: everything, or what follows the cursor. */
export interface Change {
  readonly view: SessionView;
  readonly ask?: "all" | "after";
}

const STATES = new Set([
  "compression.started",
  "compression.completed",
  "abort.started",
  "abort.completed",
  "run.retrying",
  "run.reattached",
]);
const CURSORS = 50;

export function emptyView(sessionId: string, now: number): SessionView {
  return {
    sessionId,
    state: "new",
    since: now,
    older: [],
    reading: "no",
    stored: [],
    live: [],
    total: 0,
    hasMore: false,
    isWorking: false,
    queue: [],
    questions: [],
    states: new Map(),
    ends: new Map(),
    notices: [],
    inputTokens: 0,
    outputTokens: 0,
    degraded: false,
    cursors: new Map(),
  };
}

/** The messages in order: those before, and those of the live run. */
export function messagesOf(view: SessionView): readonly Message[] {
  if (!view.older.length && !view.live.length) return view.stored;
  return [...view.older, ...view.stored, ...view.live];
}

/** The cursor to go on from, if the view is of a run that is live as far as it knows. */
export function cursorOf(view: SessionView): ({ run_id: string } & Cursor) | undefined {
  const cursor = view.liveRun === undefined ? undefined : view.cursors.get(view.liveRun);
  if (!cursor || view.liveRun === undefined || !view.isWorking) return undefined;
  return { run_id: view.liveRun, ...cursor };
}

/** The view after `resumed` or `session.resync`. */
export function withSnapshot(view: SessionView, given: Snapshot, now: number): SessionView {
  const common: SessionView = {
    ...view,
    state: "live",
    since: now,
    ...(given.title !== undefined && { title: given.title }),
    isWorking: given.isWorking,
    queue: given.queue,
    notices: given.notices ?? [],
    inputTokens: given.inputTokens,
    outputTokens: given.outputTokens,
    degraded: given.degraded ?? false,
    ...(given.status !== undefined && { status: given.status }),
  };
  if (given.replay) return common;
  const runId = given.run_id;
  const isLive = (one: Message) => runId !== undefined && String(one.id).startsWith(`${runId}:`);
  const states = new Map(given.events.map((one) => [one.event, one.data as AnyEvent]));
  const { liveRun: _run, status: _status, ...kept } = common;
  const stored = given.messages.filter((one) => !isLive(one));
  const older = keptBefore(view, stored);
  return {
    ...kept,
    older,
    stored,
    live: continued(given.messages.filter(isLive)),
    total: given.total,
    hasMore: older.length ? view.hasMore : given.hasMore,
    states: new Map([...states].filter(([name]) => STATES.has(name))),
    questions: openQuestions(given, states, view.questions),
    ends: new Map([
      ...(older.length ? view.ends : []),
      ...(given.ends ?? []).map((one) => [one.run_id, one] as const),
    ]),
    ...(runId !== undefined && { liveRun: runId }),
    ...(given.status !== undefined && { status: given.status }),
    cursors: withCursor(view.cursors, runId, given),
  };
}

/** The view after an event of a run. */
export function withRunEvent(view: SessionView, event: AnyEvent): Change {
  if (view.state !== "live") return { view }; // a snapshot is on its way and will hold it
  const known = view.cursors.get(event.run_id);
  if (known === undefined) {
    if (event.seq !== 1) return { view, ask: "all" };
  } else if (event.epoch < known.epoch || (event.epoch === known.epoch && event.seq <= known.seq)) {
    return { view };
  } else if (event.epoch !== known.epoch) {
    return { view, ask: "all" };
  } else if (event.seq !== known.seq + 1) {
    return { view, ask: "after" };
  }
  return taken(view, event);
}

function taken(before: SessionView, event: AnyEvent): Change {
  const cursors = withCursor(before.cursors, event.run_id, event);
  const view = { ...inRun(before, event.run_id), cursors };
  const live = fold(view.live, event);
  const changed: SessionView = { ...view, live };
  if (TERMINAL.has(event.event)) return { view: ended(changed, event), ask: "all" };
  if (STATES.has(event.event))
    return { view: { ...changed, states: withState(view.states, event) } };
  switch (event.event) {
    case "run.started":
      return { view: { ...changed, status: "running", states: new Map() } };
    case "approval.request":
      return { view: { ...changed, questions: [...view.questions, questionOf(event)] } };
    case "approval.responded":
      return { view: { ...changed, questions: withoutAnswered(view.questions, event) } };
    case "usage.updated":
      return { view: withUsage(changed, event) };
    default:
      return {
        view: live === view.live ? changed : { ...changed, states: flowing(view.states) },
      };
  }
}

/** Text comes again: the stream is no longer lost. */
function flowing(states: ReadonlyMap<string, AnyEvent>): ReadonlyMap<string, AnyEvent> {
  if (!states.has("run.reattached")) return states;
  return new Map([...states].filter(([name]) => name !== "run.reattached"));
}

/** The view when this run is the live one; what the run before said is then stored. */
function inRun(view: SessionView, runId: string): SessionView {
  const { end: _end, ...kept } = view;
  if (view.liveRun === runId) return view.isWorking ? view : { ...kept, isWorking: true };
  return {
    ...kept,
    stored: view.live.length ? [...view.stored, ...view.live] : view.stored,
    live: [],
    liveRun: runId,
    isWorking: true,
    questions: [],
    states: new Map(),
  };
}

function ended(view: SessionView, event: AnyEvent): SessionView {
  const aborted = view.states.get("abort.completed");
  const status = event["status"] === "aborted" ? "aborted" : event.event.replace("run.", "");
  return {
    ...withUsage(view, event),
    isWorking: view.queue.length > 0,
    status,
    questions: [],
    states: new Map(),
    end: {
      runId: event.run_id,
      status: status as End["status"],
      ...(typeof event["error"] === "string" && { error: event["error"] }),
      ...(typeof event["reason"] === "string" && { reason: event["reason"] }),
      ...(aborted?.["synced"] === false && { unconfirmed: true }),
    },
  };
}

function withUsage(view: SessionView, event: AnyEvent): SessionView {
  const { inputTokens, outputTokens } = event;
  return {
    ...view,
    ...(typeof inputTokens === "number" && { inputTokens }),
    ...(typeof outputTokens === "number" && { outputTokens }),
  };
}

function withState(states: ReadonlyMap<string, AnyEvent>, event: AnyEvent): Map<string, AnyEvent> {
  const all = new Map(states);
  all.delete(event.event); // so that it moves to the end
  return all.set(event.event, event);
}

function withCursor(
  cursors: ReadonlyMap<string, Cursor>,
  runId: string | undefined,
  at: { epoch?: number; seq?: number },
): ReadonlyMap<string, Cursor> {
  if (runId === undefined || at.epoch === undefined || at.seq === undefined) return cursors;
  const all = new Map(cursors);
  all.delete(runId);
  all.set(runId, { epoch: at.epoch, seq: at.seq });
  for (const oldest of all.keys()) {
    if (all.size <= CURSORS) break;
    all.delete(oldest);
  }
  return all;
}

function questionOf(event: AnyEvent): Question {
  const given = (name: string) => (typeof event[name] === "string" ? event[name] : "");
  const choices = Array.isArray(event["choices"]) ? event["choices"] : ["once", "deny"];
  return {
    id: event.seq,
    runId: event.run_id,
    command: given("command"),
    description: given("description"),
    choices: choices.filter((choice): choice is string => typeof choice === "string"),
  };
}

function withoutAnswered(questions: readonly Question[], event: AnyEvent): readonly Question[] {
  const named = questions.find((one) => one.id === event["approval_id"]) ?? questions[0];
  return questions.filter((one) => one !== named);
}

/** All that are open; servers of the version before tell of the oldest only. */
function openQuestions(
  given: Snapshot,
  states: ReadonlyMap<string, AnyEvent>,
  before: readonly Question[],
): Question[] {
  const open = given.approvals
    ? given.approvals.map((one) => questionOf(one as AnyEvent))
    : oldestOpen(states);
  return open.map((one) => {
    const known = before.find((other) => other.id === one.id && other.runId === one.runId);
    return known?.chosen === undefined ? one : { ...one, chosen: known.chosen };
  });
}

function oldestOpen(states: ReadonlyMap<string, AnyEvent>): Question[] {
  const asked = states.get("approval.request");
  const answered = states.get("approval.responded");
  if (!asked) return [];
  const names = answered?.["approval_id"];
  const isOpen =
    !answered || answered.seq < asked.seq || (names !== undefined && names !== asked.seq);
  return isOpen ? [questionOf(asked)] : [];
}

/** The view after an event of the session. */
export function withSessionEvent(
  view: SessionView,
  event: Record<string, unknown>,
  now: number,
): Change {
  switch (event["event"]) {
    case "queue.updated":
      return { view: { ...view, queue: event["queue"] as Waiting[] } };
    case "messages.updated":
      return { view, ask: "all" };
    case "message.added":
      return withPrompt(view, event);
    case "session.updated":
      return { view: withTitle(view, event["title"]) };
    case "session.deleted":
      return { view: { ...emptyView(view.sessionId, now), state: "deleted" } };
    case "approval.expired":
      return { view: withoutQuestion(view, event["approval_id"]) };
    default:
      return { view };
  }
}

function withTitle(view: SessionView, title: unknown): SessionView {
  if (typeof title === "string" && title) return { ...view, title };
  const { title: _title, ...rest } = view;
  return rest;
}

function withPrompt(view: SessionView, event: Record<string, unknown>): Change {
  const message = event["message"] as Message;
  if (view.state !== "live" || view.stored.some((one) => one.id === message.id)) return { view };
  const runId = event["run_id"];
  const base = typeof runId === "string" ? atTurn(view, runId) : view;
  const prompt = typeof runId === "string" ? { ...message, run_id: runId } : message;
  return {
    view: { ...base, isWorking: true, stored: [...base.stored, prompt], total: base.total + 1 },
  };
}

/** Its run is the live one from now on, though it has said nothing yet. */
function atTurn(view: SessionView, runId: string): SessionView {
  return view.liveRun === runId ? view : { ...inRun(view, runId), status: "running" };
}

export function withoutQuestion(view: SessionView, id: unknown): SessionView {
  return { ...view, questions: view.questions.filter((one) => one.id !== id) };
}

/** The view in which this question was answered here. */
export function withChoice(view: SessionView, id: number, chosen: string | undefined): SessionView {
  const questions = view.questions.map((one) => {
    const { chosen: _before, ...rest } = one;
    return one.id !== id ? one : chosen === undefined ? rest : { ...rest, chosen };
  });
  return { ...view, questions };
}

/** The prompt as it was sent. */
export function inputOf(message: Message): Input {
  return isInput(message.content_blocks) ? message.content_blocks : message.content;
}

/** How many of the newest prompts, and of those that wait, are this one. */
export function countOf(view: SessionView, input: Input): number {
  const text = JSON.stringify(input);
  const isSame = (one: Input) => JSON.stringify(one) === text;
  const said = view.stored.filter((one) => one.role === "user" && isSame(inputOf(one)));
  return said.length + view.queue.filter((one) => isSame(one.input)).length;
}
