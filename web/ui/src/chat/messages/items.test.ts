import { describe, expect, it } from "vitest";
import type { Message, Outgoing, SessionView } from "../../client";
import { emptyView } from "../../client/view";
import { itemsOf } from "./items";

const message = (role: Message["role"], fields: Partial<Message> = {}): Message => ({
  id: Math.random(),
  run_id: "r1",
  role,
  content: "",
  reasoning: "",
  ...fields,
});

const view = (fields: Partial<SessionView>): SessionView => ({ ...emptyView("s", 0), ...fields });

const kinds = (of: SessionView, outbox: Outgoing[] = []) =>
  itemsOf(of, outbox).map((item) => item.kind);

describe("items", () => {
  const stored = [
    message("user", { content: "hello" }),
    message("assistant", { content: "a", reasoning: "why", finish_reason: "tool_calls" }),
    message("tool", { tool_name: "clock", content: "12" }),
    message("assistant", { content: "b", finish_reason: "stop" }),
  ];

  it("show a turn in the order in which it was said", () => {
    const said = ["prompt", "reasoning", "answer", "tool", "answer"];
    expect(kinds(view({ stored }))).toEqual([...said, "foot"]);
  });

  it("show a turn only with its beginning, so that nothing in it moves when that is read", () => {
    const earlier = stored.map((one) => ({ ...one, run_id: "r0" }));
    const cut = [...earlier.slice(2), ...stored];
    const before = itemsOf(view({ stored: cut, hasMore: true }), []);
    expect(before.map((item) => item.kind)).toEqual(kinds(view({ stored })));
    const after = itemsOf(view({ older: earlier.slice(0, 2), stored: cut }), []);
    expect(after.slice(-before.length).map((item) => item.key)).toEqual(
      before.map((item) => item.key),
    );
  });

  it("say where a copy begins in which a prompt is asked again", () => {
    const ids = stored.map((one, index) => ({ ...one, id: index + 1 }));
    const twice = [...ids, ...ids.map((one) => ({ ...one, id: one.id + 4, run_id: "r2" }))];
    const found = (of: SessionView) =>
      itemsOf(of, []).flatMap((item) => (item.kind === "prompt" ? [item.again] : []));
    expect(found(view({ stored: twice }))).toEqual([{ upTo: undefined }, { upTo: 4 }]);
    expect(found(view({ stored: twice, hasMore: true }))).toEqual([undefined, { upTo: 4 }]);
    const cut = [{ ...message("user", { content: "x", truncated: true }), id: 1 }];
    expect(found(view({ stored: cut }))).toEqual([undefined]); // all of it is not here
  });

  it("show a message once whose acknowledgement is late", () => {
    const one: Outgoing = {
      id: "o1",
      sessionId: "s",
      input: "hello",
      onBusy: "queue",
      at: 1,
      state: "waiting",
      before: 0,
    };
    expect(kinds(view({}), [one])).toEqual(["prompt"]);
    const prompts = (of: SessionView, outbox: Outgoing[]) =>
      kinds(of, outbox).filter((kind) => kind === "prompt").length;
    expect(prompts(view({ stored }), [one])).toBe(1);
    expect(prompts(view({ stored }), [one, { ...one, id: "o2" }])).toBe(2);
    expect(prompts(view({ stored }), [{ ...one, before: 1 }])).toBe(2);
    expect(prompts(view({ stored }), [{ ...one, state: "refused" }])).toBe(2);
    const queue = [{ run_id: "r2", input: "hello", created_at: 1 }];
    expect(prompts(view({ queue }), [one])).toBe(0);
  });

  it("are made once of what is stored", () => {
    const during = view({ stored, liveRun: "r2", isWorking: true });
    const [first] = itemsOf(during, []);
    const [again] = itemsOf({ ...during, live: [{ ...message("assistant"), open: true }] }, []);
    expect(again).toBe(first);
  });

  it("keep their keys when a live run is stored", () => {
    const [prompt, ...rest] = stored;
    const live = rest.map((one, index) => ({ ...one, id: `r1:${index + 1}`, open: false }));
    const during = itemsOf(
      view({ stored: prompt ? [prompt] : [], live, liveRun: "r1", isWorking: true }),
      [],
    );
    const after = itemsOf(view({ stored }), []).filter((item) => item.kind !== "foot");
    expect(during.slice(0, after.length).map((item) => item.key)).toEqual(
      after.map((item) => item.key),
    );
  });

  it("say when a run failed, was stopped, or has said nothing", () => {
    const ending = (of: SessionView) => {
      const last = itemsOf(of, []).at(-1);
      return last?.kind === "ending" ? last.how : undefined;
    };
    const asked = message("user", { content: "hello" });
    const ended = (reason: string) => message("assistant", { content: "a", finish_reason: reason });
    expect(ending(view({ stored: [asked, ended("error")] }))).toBe("failed");
    expect(ending(view({ stored: [asked, ended("aborted")] }))).toBe("stopped");
    expect(ending(view({ stored: [asked] }))).toBe("unanswered");
    expect(ending(view({ stored }))).toBeUndefined();
    expect(ending(view({ stored: [asked], isWorking: true, liveRun: "r1" }))).toBeUndefined();
  });

  it("end with what was not sent yet", () => {
    const outgoing: Outgoing = {
      id: "o",
      sessionId: "s",
      input: "later",
      onBusy: "queue",
      at: 1,
      state: "waiting",
    };
    expect(kinds(view({ stored }), [outgoing]).at(-1)).toBe("prompt");
    expect(kinds(view({ stored }), [{ ...outgoing, sessionId: "other" }])).toEqual(
      kinds(view({ stored })),
    );
  });
});
