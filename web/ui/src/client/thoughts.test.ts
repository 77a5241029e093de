import { expect, it } from "vitest";
import type { AnyEvent } from "./fold";
import { withThoughts } from "./thoughts";
import { emptyView, withRunEvent, type SessionView } from "./view";

function after(names: string[], start: SessionView): SessionView {
  return names.reduce((view, name, index) => {
    const text = { text: "x", delta: "x", tool: "t" };
    const event: AnyEvent = { event: name, run_id: "r", epoch: 1, seq: index + 1, ...text };
    return withThoughts(view, withRunEvent(view, event).view, (index + 1) * 1_000);
  }, start);
}

const live: SessionView = { ...emptyView("s", 0), state: "live" };

it("times reasoning from its beginning to the first word, or to a tool", () => {
  const spoken = after(["reasoning.delta", "reasoning.delta", "message.delta"], live);
  expect([...spoken.thoughts]).toEqual([["r:1", { from: 1_000, to: 3_000 }]]);
  const called = after(["reasoning.delta", "tool.started", "reasoning.delta"], live);
  expect([...called.thoughts]).toEqual([
    ["r:1", { from: 1_000, to: 2_000 }],
    ["r:3", { from: 3_000 }],
  ]);
});

it("knows nothing of reasoning whose beginning was not watched", () => {
  const message = {
    id: "r:1",
    role: "assistant" as const,
    content: "",
    reasoning: "x",
    open: true,
  };
  const joined: SessionView = { ...live, liveRun: "r", live: [message], isWorking: true };
  expect(after(["reasoning.delta", "message.delta"], joined).thoughts.size).toBe(0);
});
