/** States in words: since when, and for what one waits. Pure. */
import type { ConnectionState, SessionView } from "../client";

export interface Words {
  readonly text: string;
  /** `live`: all is well. `wait`: it ends by itself. `needs`: somebody can do something. */
  readonly tone: "live" | "wait" | "needs";
}

export function seconds(milliseconds: number): string {
  const all = Math.max(0, Math.round(milliseconds / 1000));
  if (all < 60) return `${all} s`;
  const minutes = Math.floor(all / 60);
  return minutes < 60
    ? `${minutes} min ${all % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function connectionWords(state: ConnectionState, view: SessionView, now: number): Words {
  switch (state.kind) {
    case "live":
      return viewWords(view, now);
    case "connecting":
      return { text: since("Connecting", state.since, now), tone: "wait" };
    case "waiting": {
      const left = state.retryAt - now;
      const next = left > 500 ? `Next try in ${seconds(left)}.` : "Trying now.";
      return {
        text: `No connection for ${seconds(now - state.since)}. ${next}`,
        tone: "needs",
      };
    }
    case "signed-out":
      return { text: "Signed out.", tone: "needs" };
    case "closed":
      return { text: "Not connected.", tone: "wait" };
  }
}

function viewWords(view: SessionView, now: number): Words {
  if (view.state === "loading") return { text: since("Loading", view.since, now), tone: "wait" };
  if (view.state === "stale") return { text: since("Catching up", view.since, now), tone: "wait" };
  if (view.degraded)
    return {
      text: "A part of the server does not answer; something may be missing.",
      tone: "wait",
    };
  return { text: "Live", tone: "live" };
}

function since(what: string, at: number, now: number): string {
  return now - at < 2_000 ? `${what}.` : `${what} for ${seconds(now - at)}.`;
}

/** What the live run does. */
export function runWords(view: SessionView): string {
  if (view.questions.length) return "The agent waits for your answer.";
  const states = view.states;
  if (states.has("abort.started") || view.status === "stopping")
    return "Stopping. What was said so far is kept.";
  if (states.has("run.retrying")) return retryWords(states.get("run.retrying"));
  if (states.get("run.reattached")?.["mode"] === "polling")
    return "The stream was lost. The agent goes on; its text is shown when it is done.";
  if (states.has("run.reattached")) return "The stream was lost, and goes on.";
  if (states.has("compression.started") && !states.has("compression.completed"))
    return "Older messages are being summarized, so that the conversation fits the model.";
  if (view.status === "queued") return "Waiting for a worker.";
  const last = view.live.at(-1);
  if (last?.role === "tool" && last.open) return `Waiting for ${last.tool_name ?? "a tool"}.`;
  if (!last) return "Waiting for the first word.";
  return last.content ? "Writing." : "Thinking.";
}

function retryWords(event: Record<string, unknown> | undefined): string {
  const delay = typeof event?.["delay"] === "number" ? event["delay"] : 0;
  const uncertain = event?.["reason"] === "post_uncertain";
  const why = uncertain
    ? "The gateway has not said whether it took the message."
    : "The gateway cannot take it now.";
  return delay > 0
    ? `${why} Tried again in about ${Math.ceil(delay)} s.`
    : `${why} Tried again soon.`;
}

/** What a summary of older messages has saved; empty if there was none. */
export function compressionWords(view: SessionView): string {
  const done = view.states.get("compression.completed");
  if (!done) return "";
  if (done["compressed"] !== true) return "Older messages could not be summarized; all were sent.";
  const number = (value: unknown) => (typeof value === "number" ? value.toLocaleString("en") : "?");
  return `Older messages were summarized: ${number(done["beforeTokens"])} tokens became ${number(done["afterTokens"])}.`;
}

export const OLDEST = {
  loading: "Older messages are being read.",
  failed: "Older messages could not be read.",
  again: "Try again",
  beginning: "The beginning of the conversation.",
} as const;

export const ATTACHMENTS = {
  add: "Add images or files",
  attached: "Files of this message",
  remove: (name: string) => `Remove ${name}`,
  pasted: "pasted",
  image: "Image",
  elsewhere: "An image of another server, which is not loaded here.",
  drop: "Drop images or text files here.",
  many: (most: number) => `A message can have ${most} files at most; the others were left out.`,
  large: (name: string, most: number) => `${name} is too large: an image may have ${most} MB.`,
  longText: (name: string, most: number) =>
    `${name} is too long: a text file may have ${most} KB. Let the agent read it with a tool instead.`,
  noText: (name: string) => `${name} is neither an image nor text, and cannot be sent.`,
  noImage: (name: string) => `${name} cannot be read as an image.`,
  unreadable: "A file could not be read.",
} as const;

export const PROMPT = {
  you: "You",
  edit: "Edit, and ask again",
  editing: "Your message, changed",
  hint: "The conversation up to here is copied, and goes on with this message. This one stays as it is.",
  send: "Send in a copy",
  cancel: "Cancel",
  isCut: "Cut here; the whole text was sent.",
} as const;

export const FOOT = {
  again: "Ask again in a copy",
  tokens: (input: string, output: string) => `${input} tokens in, ${output} out`,
} as const;

export const OUTGOING = {
  waiting: "Not sent yet. It is kept, and sent as soon as possible.",
  refused: "The server refused it.",
  again: "Send again",
  edit: "Edit",
  discard: "Discard",
} as const;

export const METER = {
  context: (used: string, size: string, share: number) =>
    `Context: ${used} of ${size} tokens, ${share} %`,
  summarized: (from: string) => `Older messages are summarized from about ${from} tokens on.`,
  assumed: "The size is assumed, as the profile does not name it.",
  session: (input: string, output: string) =>
    `This session so far: ${input} tokens in, ${output} out`,
} as const;

export const OPTIONS = {
  title: "Model and instructions of this session",
  ownModel: "Gateway's model",
  withInstructions: "instructions",
  profile: "Profile",
  unavailable: (name: string) => `${name} (does not answer)`,
  model: "Model",
  default: (name: string) => (name ? `Gateway's own (${name})` : "Gateway's own"),
  instructions: "Instructions",
  instructionsHint: "What the agent is told before each message of this session",
  note: "Messages from now on. Instructions are kept on this device.",
} as const;

export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export function dollars(value: number): string {
  return value > 0 && value < 0.01 ? "less than $0.01" : `$${value.toFixed(2)}`;
}

export const COMPOSER = {
  message: "Message",
  write: "Write a message",
  next: "Write what comes next",
  stop: "Stop",
  interrupt: "Stop and send",
  queue: "Queue",
  send: "Send",
} as const;

export const PAGE = {
  untitled: "New chat",
  sessions: "Sessions",
  deleted: "This session was deleted.",
} as const;

export const DIAGRAM = {
  name: "Diagram",
  alt: "The diagram that the source below describes",
  drawing: "The diagram is being drawn.",
  failed: (why: string) => `It cannot be drawn. ${why}`,
  source: "Source",
} as const;

export const REASONING = {
  live: "Thinking",
  done: (took: number | undefined) =>
    took === undefined ? "Thoughts" : `Thought for ${seconds(took)}`,
} as const;
