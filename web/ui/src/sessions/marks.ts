/** What a session does now: the agent works in it, or waits for an answer. Pure. */
import type { SessionView } from "../client";

export type Mark = "live" | "needs";
export type Marks = ReadonlyMap<string, Mark>;

/** The marks of the views of this tab, and of the sessions that the server says are live. A view that
 * is up to date knows better than the list. */
export function marksOf(views: Iterable<SessionView>, live: Iterable<string>): Marks {
  const marks = new Map<string, Mark>();
  for (const id of live) marks.set(id, "live");
  for (const view of views) {
    if (view.questions.some((one) => one.chosen === undefined)) marks.set(view.sessionId, "needs");
    else if (view.isWorking) marks.set(view.sessionId, "live");
    else if (view.state === "live") marks.delete(view.sessionId);
  }
  return marks;
}

/** `before` if both are the same, so that what is drawn from it is not drawn again. */
export function unlessSame(before: Marks, after: Marks): Marks {
  const isSame =
    before.size === after.size && [...after].every(([id, mark]) => before.get(id) === mark);
  return isSame ? before : after;
}
