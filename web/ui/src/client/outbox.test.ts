import { afterEach, describe, expect, it, vi } from "vitest";
import { MemoryStore } from "./memory_store";
import { Outbox } from "./outbox";
import type { Reply, Requests } from "./protocol.generated";

afterEach(() => {
  vi.useRealTimers();
});

const ACCEPTED: Reply = { ok: true, run_id: "r1" };
const refused = (code: string): Reply => ({ ok: false, error: { code, message: code } });

function outbox(answers: (Reply | Error)[], store = new MemoryStore(), live = true) {
  const sent: Requests["run"][] = [];
  const state = { live, seen: new Set<string>() };
  const made = new Outbox({
    owner: "default",
    store,
    send: (run) => {
      sent.push(run);
      const answer = answers.shift() ?? ACCEPTED;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    isLive: () => state.live,
    isSeen: (_session, runId) => state.seen.has(runId),
    onChange: () => undefined,
  });
  return { made, sent, state, store };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a message that nobody acknowledged", () => {
  it("is sent again with the same id, and kept until then", async () => {
    vi.useFakeTimers();
    const { made, sent, store } = outbox([new Error("no answer")]);
    made.add("s", "hello");
    await vi.advanceTimersByTimeAsync(0);
    expect(store.length).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();
    expect(sent.map((run) => run.client_request_id)).toEqual([
      made.items[0]?.id,
      made.items[0]?.id,
    ]);
    expect(made.items[0]?.state).toBe("accepted");
    expect(store.length).toBe(0);
  });

  it("is found by the next page, which sends it", async () => {
    const first = outbox([], new MemoryStore(), false);
    first.made.add("s", "typed while offline");
    await settled();
    expect(first.sent).toEqual([]);
    const second = outbox([], first.store);
    await second.made.flush();
    expect(second.sent.map((run) => run.input)).toEqual(["typed while offline"]);
    expect(second.sent[0]?.client_request_id).toBe(first.made.items[0]?.id);
  });

  it("of another user stays where it is", async () => {
    const store = new MemoryStore();
    outbox([], store, false).made.add("s", "mine");
    const other = new Outbox({
      owner: "other",
      store,
      send: () => Promise.resolve(ACCEPTED),
      isLive: () => true,
      isSeen: () => false,
      onChange: () => undefined,
    });
    await other.flush();
    expect(other.items).toEqual([]);
    expect(store.length).toBe(1);
  });
});

it("messages of one session are sent in their order, one at a time", async () => {
  const { made, sent, state } = outbox([], new MemoryStore(), false);
  made.add("s", "one");
  made.add("s", "two");
  state.live = true;
  await Promise.all([made.flush(), made.flush()]);
  expect(sent.map((run) => run.input)).toEqual(["one", "two"]);
});

it("a refused message stays, with the reason, until it is sent again", async () => {
  const { made, sent } = outbox([refused("queue_full")]);
  const item = made.add("s", "hello");
  await settled();
  expect(made.items[0]).toMatchObject({ state: "refused", error: "queue_full" });
  made.retry(item.id);
  await settled();
  expect(made.items[0]?.state).toBe("accepted");
  expect(sent).toHaveLength(2);
});

it("an accepted message stays until its run is seen", async () => {
  const { made, state } = outbox([]);
  made.add("s", "hello");
  await settled();
  made.forgetSeen();
  expect(made.items).toHaveLength(1);
  state.seen.add("r1");
  made.forgetSeen();
  expect(made.items).toEqual([]);
});

it("a run that is seen before its acknowledgement leaves nothing", async () => {
  const { made, state } = outbox([]);
  state.seen.add("r1");
  made.add("s", "hello");
  await settled();
  expect(made.items).toEqual([]);
});

it("messages keep their order when the clock is set back, also for the next page", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { made, store } = outbox([], new MemoryStore(), false);
  made.add("s", "one");
  vi.setSystemTime(Date.now() - 5 * 3_600_000);
  made.add("s", "two");
  expect(made.items.map((item) => item.input)).toEqual(["one", "two"]);
  vi.useRealTimers();
  const next = outbox([], store);
  await next.made.flush();
  expect(next.sent.map((run) => run.input)).toEqual(["one", "two"]);
});

it("an accepted message can be forgotten, since it was taken back elsewhere", async () => {
  const { made, state } = outbox([]);
  made.add("s", "taken back");
  await settled();
  state.live = false;
  made.add("s", "still waits");
  made.forget(made.acceptedOf("s"));
  expect(made.items.map((item) => item.input)).toEqual(["still waits"]);
});
