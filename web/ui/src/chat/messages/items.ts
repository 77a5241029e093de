/**
 * The messages of a session as what is drawn, one below the other. Pure.
 *
 * Text comes up to 200 times a second, so the items of stored messages are made once, and only those
 * of the live run again.
 */
import { countOf, inputOf, type Input } from "../../client";
import type { LiveMessage, Message, Outgoing, SessionView } from "../../client";
import { PARTS } from "../said";

export type Item =
  | {
      kind: "prompt";
      key: string;
      input: Input;
      isCut: boolean;
      /** Where a copy begins in which it is asked again; undefined if that is not known yet. */
      again?: Again;
      sending?: Outgoing;
    }
  /** `took`: seconds, if that was watched. */
  | { kind: "reasoning"; key: string; text: string; isLive: boolean; took?: number }
  | { kind: "answer"; key: string; text: string; isLive: boolean }
  | {
      kind: "tool";
      key: string;
      name: string;
      given: string;
      output: string;
      isRunning: boolean;
      isError: boolean;
      duration?: number;
    }
  | {
      kind: "ending";
      key: string;
      how: "failed" | "stopped" | "unanswered";
      why: string;
      /** The reason of `why`, if the server names one. */
      code?: string;
      prompt: Input;
    }
  /** What may be done after the last turn. */
  | { kind: "foot"; key: string; input: Input; again?: Again; runId?: string }
  | { kind: "status"; key: string };

/** The last message before a prompt; without an id the prompt is the first message. */
export interface Again {
  readonly upTo: number | undefined;
}

/** All items in order. A key stays when live messages become stored ones, whose ids differ. */
export function itemsOf(view: SessionView, outbox: readonly Outgoing[]): readonly Item[] {
  const at = copyOf(storedItems(view));
  for (const message of view.live) push(at, view, message);
  const isWorking = view.isWorking && view.queue.length === 0;
  if (isWorking || view.liveRun !== undefined)
    at.items.push({ kind: "status", key: `${at.turn}:status` });
  else if (!pushEnding(at, view, true)) pushFoot(at);
  for (const sending of unseen(view, outbox))
    at.items.push({
      kind: "prompt",
      key: sending.id,
      input: sending.input,
      isCut: false,
      sending,
    });
  return at.items;
}

/** What is on its way, without what the session shows already: its acknowledgement may come later
 * than its prompt, or be lost. */
function* unseen(view: SessionView, outbox: readonly Outgoing[]): Iterable<Outgoing> {
  const seen = new Map<string, number>();
  for (const sending of outbox) {
    if (sending.sessionId !== view.sessionId) continue;
    const text = JSON.stringify(sending.input);
    const others = seen.get(text) ?? 0;
    const isSeen =
      sending.state === "waiting" &&
      sending.before !== undefined &&
      countOf(view, sending.input) > sending.before + others;
    if (isSeen) seen.set(text, others + 1);
    else yield sending;
  }
}

/** Where one is in the messages. */
interface Place {
  readonly items: Item[];
  /** Call id -> what the tool was called with. */
  readonly given: Map<string, string>;
  turn: string;
  count: number;
  prompt: Input;
  again: Again | undefined;
  last: Message | undefined;
}

const made = new WeakMap<readonly Message[], { older: readonly Message[]; place: Place }>();

function storedItems(view: SessionView): Place {
  const known = made.get(view.stored);
  if (known && known.older === view.older) return known.place;
  const place: Place = {
    items: [],
    given: new Map(),
    turn: "",
    count: 0,
    prompt: "",
    again: undefined,
    last: undefined,
  };
  for (const message of fromWholeTurn([...view.older, ...view.stored], view.hasMore))
    push(place, view, message);
  made.set(view.stored, { older: view.older, place });
  return place;
}

/** A turn whose beginning was not read yet is shown with it, so that nothing in it moves then. */
function fromWholeTurn(messages: readonly Message[], hasMore: boolean): readonly Message[] {
  if (!hasMore) return messages;
  const first = messages.findIndex((one) => one.role === "user");
  return first > 0 ? messages.slice(first) : messages;
}

function copyOf(place: Place): Place {
  return { ...place, items: [...place.items] };
}

function push(at: Place, view: SessionView, message: Message): void {
  if (message.role === "user") {
    pushEnding(at, view, false);
    at.turn = message.run_id ?? String(message.id);
    at.count = 0;
    at.prompt = inputOf(message);
    at.again = againAfter(at.last, view.hasMore);
    const isCut = message.truncated === true;
    const again = isCut ? undefined : at.again;
    at.items.push({
      kind: "prompt",
      key: keyOf(at),
      input: at.prompt,
      isCut,
      ...(again && { again }),
    });
  } else {
    at.turn ||= message.run_id ?? String(message.id);
    pushMessage(at, message);
  }
  at.last = message;
}

function againAfter(last: Message | undefined, hasMore: boolean): Again | undefined {
  if (last === undefined) return hasMore ? undefined : { upTo: undefined };
  return typeof last.id === "number" ? { upTo: last.id } : undefined;
}

function pushFoot(at: Place): void {
  if (at.last === undefined || at.last.role === "user") return;
  const runId = at.last.run_id;
  at.items.push({
    kind: "foot",
    key: `${at.turn}:foot`,
    input: at.prompt,
    ...(at.again && { again: at.again }),
    ...(runId !== undefined && { runId }),
  });
}

function keyOf(at: Place): string {
  at.count += 1;
  return `${at.turn}:${at.count}`;
}

function pushMessage(at: Place, message: Message): void {
  const isOpen = "open" in message && message.open === true;
  if (message.role === "tool") {
    const preview = (message as Partial<LiveMessage>).preview ?? "";
    at.items.push({
      kind: "tool",
      key: keyOf(at),
      name: message.tool_name ?? "tool",
      given: at.given.get(message.tool_call_id ?? "") ?? preview,
      output: message.content,
      isRunning: isOpen,
      isError: message.error === true,
      ...(message.duration !== undefined && { duration: message.duration }),
    });
    return;
  }
  noteArguments(at.given, message);
  const { reasoning, content } = message;
  if (reasoning.trim()) {
    at.items.push({
      kind: "reasoning",
      key: keyOf(at),
      text: reasoning,
      isLive: isOpen && !content,
      ...(message.reasoning_duration !== undefined && { took: message.reasoning_duration }),
    });
  }
  if (content.trim())
    at.items.push({ kind: "answer", key: keyOf(at), text: content, isLive: isOpen });
}

/** How a turn ended, if it did not end well; whether that is so. */
function pushEnding(at: Place, view: SessionView, isLastTurn: boolean): boolean {
  const { last } = at;
  if (last === undefined) return false;
  const lastEnd = isLastTurn && view.end?.runId === at.turn ? view.end : undefined;
  const end = view.ends.get(at.turn) ?? lastEnd;
  const is = (reason: string, status: string) =>
    last.finish_reason === reason || end?.status === status;
  const why = end?.error ?? "";
  const before = at.items.length;
  const add = (how: "failed" | "stopped" | "unanswered", text = why) => {
    const about = end?.reason !== undefined && text === why ? { code: end.reason } : {};
    const key = `${keyOf(at)}:end`;
    at.items.push({ kind: "ending", key, how, why: text, ...about, prompt: at.prompt });
  };
  if (is("aborted", "aborted")) add("stopped", end?.unconfirmed ? PARTS.unconfirmed : "");
  else if (is("error", "failed")) add("failed");
  else if (last.role === "user") add("unanswered");
  return at.items.length > before;
}

/** What tools were called with: calls come before their results. */
function noteArguments(given: Map<string, string>, message: Message): void {
  for (const call of message.tool_calls ?? []) {
    const { id, function: called } = call as {
      id?: unknown;
      function?: { arguments?: unknown };
    };
    const found = called?.arguments;
    if (typeof id === "string" && found !== undefined)
      given.set(id, typeof found === "string" ? found : JSON.stringify(found));
  }
}
