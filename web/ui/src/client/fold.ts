/**
 * Folds the events of one run into messages, as `shared/protocol/transcript.py` does. Pure: who
 * watched from the start and who came in the middle must see the same.
 */
import { TERMINAL, type Message, type OfRun } from "./protocol.generated";

/** A message of a live run; `open`: it still takes text, or awaits its result. */
export type LiveMessage = Message & { open: boolean; preview?: string };

export type AnyEvent = OfRun & Record<string, unknown>;

/** The messages of a snapshot that are of the live run, ready to be continued. */
export function continued(messages: readonly Message[]): LiveMessage[] {
  return messages.map((message, index) => ({
    ...message,
    open:
      message.role === "tool"
        ? message.error === undefined
        : index === messages.length - 1 && message.finish_reason === undefined,
  }));
}

/** The messages after one more event. Events that change none give the same array. */
export function fold(messages: readonly LiveMessage[], event: AnyEvent): readonly LiveMessage[] {
  switch (event.event) {
    case "message.delta":
      return grow(endReasoning(messages, event), event, "content", text(event, "delta"));
    case "reasoning.delta":
    case "thinking.delta":
      return grow(messages, event, "reasoning", text(event, "text", "delta"));
    case "tool.started":
      return startTool(messages, event);
    case "tool.completed":
      return completeTool(messages, event);
    default:
      return TERMINAL.has(event.event) ? end(messages, event) : messages;
  }
}

function grow(
  messages: readonly LiveMessage[],
  event: AnyEvent,
  field: "content" | "reasoning",
  delta: string,
): readonly LiveMessage[] {
  if (!delta) return messages;
  const last = messages.at(-1);
  if (last?.role === "assistant" && last.open)
    return [...messages.slice(0, -1), { ...last, [field]: last[field] + delta }];
  return [...messages, { ...newMessage(messages, event, "assistant"), [field]: delta }];
}

function startTool(messages: readonly LiveMessage[], event: AnyEvent): LiveMessage[] {
  const tool = newMessage(messages, event, "tool");
  const id = text(event, "tool_call_id");
  const name = text(event, "tool", "name");
  const preview = text(event, "preview");
  return [
    ...closeAnswer(messages, event, "tool_calls"),
    {
      ...tool,
      ...(id && { tool_call_id: id }),
      ...(name && { tool_name: name }),
      ...(preview && { preview }),
    },
  ];
}

function completeTool(messages: readonly LiveMessage[], event: AnyEvent): readonly LiveMessage[] {
  const id = text(event, "tool_call_id");
  const name = text(event, "tool", "name");
  const open = messages.filter((one) => one.role === "tool" && one.open);
  const found =
    open.find((one) => id && one.tool_call_id === id) ??
    open.find((one) => one.tool_name === (name || undefined) && !(id && one.tool_call_id));
  if (!found) return messages;
  const duration = event["duration"];
  const done: LiveMessage = {
    ...found,
    open: false,
    content: asContent(event["output"]),
    error: Boolean(event["error"]),
    ...(!found.tool_call_id && id && { tool_call_id: id }),
    ...(typeof duration === "number" && duration >= 0 && { duration }),
  };
  return messages.map((one) => (one === found ? done : one));
}

function end(messages: readonly LiveMessage[], event: AnyEvent): readonly LiveMessage[] {
  const output = text(event, "output");
  const spoke = messages.some((one) => one.role === "assistant" && one.content.trim() !== "");
  let all = endReasoning(messages, event);
  if (output.trim() && !spoke) {
    const last = all.at(-1);
    all =
      last?.role === "assistant" && last.open
        ? [...all.slice(0, -1), { ...last, content: output }]
        : [...all, { ...newMessage(all, event, "assistant"), content: output }];
  }
  return closeAnswer(all, event, endReason(event));
}

function endReason(event: AnyEvent): string {
  if (event.event === "run.failed") return "error";
  if (event.event === "run.cancelled") return "aborted";
  return text(event, "finish_reason") || (event["status"] === "aborted" ? "aborted" : "stop");
}

function closeAnswer(
  before: readonly LiveMessage[],
  event: AnyEvent,
  reason: string,
): readonly LiveMessage[] {
  const messages = endReasoning(before, event);
  const last = messages.at(-1);
  if (last?.role !== "assistant" || !last.open) return messages;
  return [...messages.slice(0, -1), { ...last, open: false, finish_reason: reason }];
}

/** Text follows, or nothing does: what was reasoned before took until now, by the server's clock. */
function endReasoning(messages: readonly LiveMessage[], event: AnyEvent): readonly LiveMessage[] {
  const last = messages.at(-1);
  const { timestamp: now } = event;
  if (last?.role !== "assistant" || !last.open || last.content || !last.reasoning) return messages;
  if (now === undefined || last.timestamp === undefined) return messages;
  const took = Math.max(0, now - last.timestamp);
  return [...messages.slice(0, -1), { ...last, reasoning_duration: took }];
}

function newMessage(
  messages: readonly LiveMessage[],
  event: AnyEvent,
  role: "assistant" | "tool",
): LiveMessage {
  return {
    id: `${event.run_id}:${messages.length + 1}`,
    run_id: event.run_id,
    role,
    content: "",
    reasoning: "",
    open: true,
    ...(typeof event.timestamp === "number" && { timestamp: event.timestamp }),
  };
}

function text(event: AnyEvent, ...names: string[]): string {
  for (const name of names) {
    const value = event[name];
    if (typeof value === "string" && value) return value;
  }
  return "";
}

function asContent(output: unknown): string {
  if (output === undefined || output === null) return "";
  return typeof output === "string" ? output : JSON.stringify(output);
}
