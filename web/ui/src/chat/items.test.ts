import { describe, expect, it } from "vitest";
import type { Message, Outgoing, SessionView } from "../client";
import { itemsOf } from "./items";

const message = (role: Message["role"], fields: Partial<Message> = {}): Message => ({
  id: Math.random(),
  run_id: "r1",
  role,
  content: "",
  reasoning: "",
  ...fields,
});

const view = (fields: Partial<SessionView>): SessionView =>
  ({ sessionId: "s", stored: [], live: [], queue: [], isWorking: false, ...fields }) as SessionView;

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
    expect(kinds(view({ stored }))).toEqual(["prompt", "reasoning", "answer", "tool", "answer"]);
  });

  it("keep their keys when a live run is stored", () => {
    const [prompt, ...rest] = stored;
    const live = rest.map((one, index) => ({ ...one, id: `r1:${index + 1}`, open: false }));
    const during = itemsOf(
      view({ stored: prompt ? [prompt] : [], live, liveRun: "r1", isWorking: true }),
      [],
    );
    const after = itemsOf(view({ stored }), []);
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
