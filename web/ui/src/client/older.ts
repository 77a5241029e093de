/** The messages before those of a snapshot, which holds the newest 500. Pure. */
import type { MessageList, SessionMessage } from "./api.generated";
import type { BadEnd, Message } from "./protocol.generated";
import type { SessionView } from "./view";

/** Of what the view has, the messages that come before those of a new snapshot: pages that were
 * read, and what the snapshot has no room for. Nothing if the two do not touch. */
export function keptBefore(view: SessionView, stored: readonly Message[]): readonly Message[] {
  const first = stored[0];
  if (!first || (!view.older.length && !view.stored.length)) return [];
  const known = [...view.older, ...view.stored];
  const at = known.findIndex((one) => one.id === first.id);
  if (at <= 0) return [];
  return at === view.older.length ? view.older : known.slice(0, at);
}

/** The id to ask for what came before; undefined if nothing did, or it is being read. */
export function oldestOf(view: SessionView): number | undefined {
  if (!view.hasMore || view.reading === "loading" || view.state !== "live") return undefined;
  const first = view.older[0] ?? view.stored[0];
  return typeof first?.id === "number" ? first.id : undefined;
}

/** The view with the page that ends before the message `before`. */
export function withOlder(view: SessionView, page: MessageList, before: number): SessionView {
  const first = view.older[0] ?? view.stored[0];
  if (first?.id !== before) return { ...view, reading: "no" }; // it was shown anew meanwhile
  return {
    ...view,
    older: [...page.data.map(asMessage), ...view.older],
    ends: new Map([
      ...page.ends.map((one) => [one.run_id, known(one) as BadEnd] as const),
      ...view.ends,
    ]),
    hasMore: page.has_more,
    reading: "no",
  };
}

/** The view without the pages that were read: nobody looks at it now. */
export function withoutOlder(view: SessionView): SessionView {
  return view.older.length ? { ...view, older: [], hasMore: true, reading: "no" } : view;
}

function asMessage(given: SessionMessage): Message {
  return { ...(known(given) as Message), reasoning: given.reasoning ?? "" };
}

/** Without nulls: the HTTP API has them where the sockets leave the field out. */
function known(given: object): unknown {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}
