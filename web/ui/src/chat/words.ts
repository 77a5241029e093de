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
