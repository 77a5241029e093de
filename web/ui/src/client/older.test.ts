import { describe, expect, it } from "vitest";
import type { MessageList, SessionMessage } from "./api.generated";
import { oldestOf, withOlder, withoutOlder } from "./older";
import type { Message } from "./protocol.generated";
import { emptyView, messagesOf, withSnapshot, type SessionView, type Snapshot } from "./view";

const message = (id: number): Message => ({ id, role: "user", content: `m${id}`, reasoning: "" });
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => message(from + index));

const snapshot = (messages: Message[], total: number): Snapshot => ({
  messages,
  total,
  hasMore: total > messages.length,
  isWorking: false,
  events: [],
  queue: [],
  inputTokens: 0,
  outputTokens: 0,
});

const page = (from: number, to: number): MessageList => ({
  object: "list",
  session_id: "s",
  data: range(from, to).map(
    (one) => ({ ...one, finish_reason: null }) as unknown as SessionMessage,
  ),
  has_more: from > 1,
  next_cursor: null,
  ends: [{ run_id: `r${from}`, status: "failed", reason: null, error: "no", unconfirmed: false }],
});

const shown = (view: SessionView) => messagesOf(view).map((one) => one.id);
const ids = (from: number, to: number) => range(from, to).map((one) => one.id);

describe("older messages", () => {
  const newest = withSnapshot(emptyView("s", 0), snapshot(range(7, 10), 9), 0);
  const both = withOlder(newest, page(4, 7), 7);

  it("come before those that are here", () => {
    expect(oldestOf(newest)).toBe(7);
    expect(shown(both)).toEqual(ids(4, 10));
    expect(both.hasMore).toBe(true);
    expect(messagesOf(both)[0]).toEqual(message(4)); // no nulls
    expect(both.ends.get("r4")).toMatchObject({ status: "failed", error: "no" });
    const all = withOlder(both, page(1, 4), 4);
    expect(shown(all)).toEqual(ids(1, 10));
    expect(oldestOf(all)).toBeUndefined();
  });

  it("stay when a newer snapshot has no room for them", () => {
    const later = withSnapshot(both, snapshot(range(9, 12), 11), 0);
    expect(shown(later)).toEqual(ids(4, 12));
    expect(later.hasMore).toBe(true);
  });

  it("go when a newer snapshot does not touch them", () => {
    const later = withSnapshot(both, snapshot(range(20, 23), 22), 0);
    expect(shown(later)).toEqual(ids(20, 23));
    expect(later.hasMore).toBe(true);
  });

  it("are dropped if the session was shown anew meanwhile", () => {
    expect(shown(withOlder(both, page(5, 7), 7))).toEqual(ids(4, 10));
  });

  it("are forgotten while nobody looks, and can be read again", () => {
    const left = withoutOlder(both);
    expect(shown(left)).toEqual(ids(7, 10));
    expect(oldestOf(left)).toBe(7);
  });
});
