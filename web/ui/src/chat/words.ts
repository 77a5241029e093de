/** States in words: since when, and for what one waits. Pure. */
import type { ConnectionState, SessionView } from "../client";
import { spoken } from "../languages/catalogue";
import { number } from "../languages/formats";
import { STATES } from "./said";

export interface Words {
  readonly text: string;
  /** `live`: all is well. `wait`: it ends by itself. `needs`: somebody can do something. */
  readonly tone: "live" | "wait" | "needs";
}

export function seconds(milliseconds: number): string {
  const all = Math.max(0, Math.round(milliseconds / 1000));
  if (all < 60) return STATES.seconds(all);
  const minutes = Math.floor(all / 60);
  return minutes < 60
    ? STATES.minutes(minutes, all % 60)
    : STATES.hours(Math.floor(minutes / 60), minutes % 60);
}

export function connectionWords(state: ConnectionState, view: SessionView, now: number): Words {
  switch (state.kind) {
    case "live":
      return viewWords(view, now);
    case "connecting":
      return { text: since(STATES.connecting, state.since, now), tone: "wait" };
    case "waiting": {
      const left = state.retryAt - now;
      const next = left > 500 ? STATES.nextTry(seconds(left)) : STATES.tryingNow;
      return {
        text: STATES.noConnection(seconds(now - state.since), next),
        tone: "needs",
      };
    }
    case "signed-out":
      return { text: STATES.signedOut, tone: "needs" };
    case "closed":
      return { text: STATES.notConnected, tone: "wait" };
  }
}

function viewWords(view: SessionView, now: number): Words {
  if (view.state === "loading")
    return { text: since(STATES.loading, view.since, now), tone: "wait" };
  if (view.state === "stale")
    return { text: since(STATES.catchingUp, view.since, now), tone: "wait" };
  if (view.degraded)
    return {
      text: STATES.degraded,
      tone: "wait",
    };
  return { text: STATES.live, tone: "live" };
}

function since(what: string, at: number, now: number): string {
  return now - at < 2_000 ? STATES.sentence(what) : STATES.for(what, seconds(now - at));
}

/** What the live run does. */
export function runWords(view: SessionView): string {
  if (view.questions.length) return STATES.waitsForYou;
  const states = view.states;
  if (states.has("abort.started") || view.status === "stopping") return STATES.stopping;
  if (states.has("run.retrying")) return retryWords(states.get("run.retrying"));
  if (states.get("run.reattached")?.["mode"] === "polling") return STATES.polling;
  if (states.has("run.reattached")) return STATES.replaying;
  if (states.has("compression.started") && !states.has("compression.completed"))
    return STATES.compressing;
  if (view.status === "queued") return STATES.queued;
  const last = view.live.at(-1);
  if (last?.role === "tool" && last.open) return STATES.waitingFor(last.tool_name ?? STATES.aTool);
  if (!last) return STATES.noWord;
  return last.content ? STATES.writing : STATES.thinking;
}

function retryWords(event: Record<string, unknown> | undefined): string {
  const delay = typeof event?.["delay"] === "number" ? event["delay"] : 0;
  const uncertain = event?.["reason"] === "post_uncertain";
  const why = uncertain ? STATES.uncertain : STATES.busy;
  return delay > 0 ? STATES.againIn(why, STATES.seconds(Math.ceil(delay))) : STATES.againSoon(why);
}

/** What a summary of older messages has saved; empty if there was none. */
export function compressionWords(view: SessionView): string {
  const done = view.states.get("compression.completed");
  if (!done) return "";
  if (done["compressed"] !== true) return STATES.notCompressed;
  const count = (value: unknown) => (typeof value === "number" ? number(value) : "?");
  return STATES.compressed(count(done["beforeTokens"]), count(done["afterTokens"]));
}

export const OLDEST = spoken(
  {
    loading: "Older messages are being read.",
    failed: "Older messages could not be read.",
    again: "Try again",
    beginning: "The beginning of the conversation.",
  },
  {
    loading: "Ältere Nachrichten werden gelesen.",
    failed: "Ältere Nachrichten konnten nicht gelesen werden.",
    again: "Erneut versuchen",
    beginning: "Der Anfang der Unterhaltung.",
  },
);
