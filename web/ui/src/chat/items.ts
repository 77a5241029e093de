/** The messages of a session as what is drawn, one below the other. Pure. */
import type { LiveMessage, Message, Outgoing, SessionView } from "../client";
import { messagesOf } from "../client";

export type Item =
  | { kind: "prompt"; key: string; text: string; isCut: boolean; sending?: Outgoing }
  | { kind: "reasoning"; key: string; text: string; isLive: boolean }
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
      prompt: string;
    }
  | { kind: "status"; key: string };

/** All items in order. A key stays when live messages become stored ones, whose ids differ. */
export function itemsOf(view: SessionView, outbox: readonly Outgoing[]): Item[] {
  const items: Item[] = [];
  const given = argumentsOf(view);
  let turn = "";
  let count = 0;
  let prompt = "";
  let last: Message | undefined;
  const key = () => `${turn}:${(count += 1)}`;
  for (const message of messagesOf(view)) {
    if (message.role === "user") {
      pushEnding(items, view, last, prompt, key, false);
      turn = message.run_id ?? String(message.id);
      count = 0;
      prompt = message.content;
      items.push({
        kind: "prompt",
        key: key(),
        text: prompt,
        isCut: message.truncated === true,
      });
    } else {
      turn ||= message.run_id ?? String(message.id);
      pushMessage(items, message, given, key);
    }
    last = message;
  }
  const isWorking = view.isWorking && view.queue.length === 0;
  if (isWorking || view.liveRun !== undefined)
    items.push({ kind: "status", key: `${turn}:status` });
  else pushEnding(items, view, last, prompt, key, true);
  for (const sending of outbox)
    if (sending.sessionId === view.sessionId)
      items.push({
        kind: "prompt",
        key: sending.id,
        text: sending.input,
        isCut: false,
        sending,
      });
  return items;
}

function pushMessage(
  items: Item[],
  message: Message,
  given: ReadonlyMap<string, string>,
  key: () => string,
): void {
  const isOpen = "open" in message && message.open === true;
  if (message.role === "tool") {
    const preview = (message as Partial<LiveMessage>).preview ?? "";
    items.push({
      kind: "tool",
      key: key(),
      name: message.tool_name ?? "tool",
      given: given.get(message.tool_call_id ?? "") ?? preview,
      output: message.content,
      isRunning: isOpen,
      isError: message.error === true,
      ...(message.duration !== undefined && { duration: message.duration }),
    });
    return;
  }
  const isThinking = isOpen && !message.content;
  if (message.reasoning.trim())
    items.push({ kind: "reasoning", key: key(), text: message.reasoning, isLive: isThinking });
  if (message.content.trim())
    items.push({ kind: "answer", key: key(), text: message.content, isLive: isOpen });
}

/** How a turn ended, if it did not end well. */
function pushEnding(
  items: Item[],
  view: SessionView,
  last: Message | undefined,
  prompt: string,
  key: () => string,
  isLastTurn: boolean,
): void {
  if (last === undefined) return;
  const end = isLastTurn ? view.end : undefined;
  const is = (reason: string, status: string) =>
    last.finish_reason === reason || end?.status === status;
  const why = end?.error ?? "";
  const push = (how: "failed" | "stopped" | "unanswered", text = why) =>
    items.push({ kind: "ending", key: `${key()}:end`, how, why: text, prompt });
  if (is("aborted", "aborted"))
    push("stopped", end?.unconfirmed ? "The gateway has not confirmed that it stopped." : "");
  else if (is("error", "failed")) push("failed");
  else if (last.role === "user") push("unanswered");
}

/** Call id -> what the tool was called with. */
function argumentsOf(view: SessionView): Map<string, string> {
  const found = new Map<string, string>();
  for (const message of view.stored)
    for (const call of message.tool_calls ?? []) {
      const { id, function: called } = call as {
        id?: unknown;
        function?: { arguments?: unknown };
      };
      const given = called?.arguments;
      if (typeof id === "string" && given !== undefined)
        found.set(id, typeof given === "string" ? given : JSON.stringify(given));
    }
  return found;
}
