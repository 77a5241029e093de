/** How long the agent reasoned before it spoke, as far as this client watched it. Pure. */
import type { SessionView } from "./view";

/** From when to when, in milliseconds of this computer; without an end it goes on. */
export interface Thought {
  readonly from: number;
  readonly to?: number;
}

const MOST = 200;

/** The view after an event, with the times of the reasoning that it began or ended. Reasoning whose
 * beginning was not watched has none. */
export function withThoughts(before: SessionView, after: SessionView, now: number): SessionView {
  if (before.live === after.live) return after;
  const last = after.live.at(-1);
  const known = last && after.thoughts.get(String(last.id));
  const isReasoning = last?.role === "assistant" && last.open && !last.content;
  if (last && isReasoning && last.reasoning && !known) {
    const isNew = before.live.at(-1)?.id !== last.id;
    return isNew ? withThought(after, String(last.id), { from: now }) : after;
  }
  const open = [...after.thoughts].findLast(([, thought]) => thought.to === undefined);
  if (!open || (isReasoning && open[0] === String(last.id))) return after;
  return withThought(after, open[0], { ...open[1], to: now });
}

function withThought(view: SessionView, id: string, thought: Thought): SessionView {
  const thoughts = new Map([...view.thoughts].slice(-MOST));
  return { ...view, thoughts: thoughts.set(id, thought) };
}
