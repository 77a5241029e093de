import { expect, test } from "vitest";
import type { RunTimeline, TimelineStep } from "../../client/api.generated";
import { lanesOf } from "./lanes";

function timeline(steps: TimelineStep[]): RunTimeline {
  return {
    object: "run.timeline",
    run_id: "run_1",
    owner: "alice",
    session_id: "s",
    profile: "default",
    status: "completed",
    reason: null,
    takeovers: 0,
    worker: null,
    steps,
    left_out: 0,
    source: "stored",
    attempts: [],
    compressions: [],
  };
}

const TAKEN_OVER: TimelineStep[] = [
  { at: 100, step: "queued" },
  { at: 102, step: "claimed", attempt: 1 },
  { at: 102.5, step: "posted", attempt: 1 },
  { at: 103, step: "first_token" },
  { at: 104, step: "tool_started", tool: "ls" },
  { at: 110, step: "claimed", attempt: 2, taken_over: true },
  { at: 111, step: "reattached", mode: "polling" },
  { at: 120, step: "ended" },
];

test("each claim has a lane of its own, from it to the next one", () => {
  const { from, to, lanes } = lanesOf(timeline(TAKEN_OVER), 999);
  expect([from, to]).toEqual([100, 120]);
  expect(lanes.map((lane) => [lane.number, lane.takenOver])).toEqual([
    [0, false],
    [1, false],
    [2, true],
  ]);
  expect(lanes[0]?.bars.map((bar) => [bar.kind, bar.from, bar.to])).toEqual([["wait", 100, 102]]);
  expect(lanes[1]?.bars.map((bar) => [bar.kind, bar.from, bar.to])).toEqual([
    ["begin", 102, 103],
    ["text", 103, 110],
    ["tool", 104, 110],
  ]);
  expect(lanes[2]?.bars.map((bar) => [bar.kind, bar.from, bar.to])).toEqual([["text", 110, 120]]);
});

test("a live run is drawn until now, and what has not ended is open", () => {
  const { to, lanes } = lanesOf(timeline(TAKEN_OVER.slice(0, 5)), 130);
  expect(to).toBe(130);
  expect(lanes[1]?.bars.filter((bar) => bar.isOpen).map((bar) => bar.kind)).toEqual([
    "text",
    "tool",
  ]);
});

test("a run that waits has only the lane of the queue", () => {
  const { lanes } = lanesOf(timeline(TAKEN_OVER.slice(0, 1)), 107);
  expect(lanes).toHaveLength(1);
  expect(lanes[0]?.bars[0]).toMatchObject({ kind: "wait", from: 100, to: 107, isOpen: true });
});

test("a step without a time is where the one before it was, and none is before the first", () => {
  const { lanes } = lanesOf(
    timeline([
      { at: 100, step: "queued" },
      { at: 101, step: "claimed" },
      { at: null, step: "first_token" },
      { at: 99, step: "ended" },
    ]),
    200,
  );
  expect(lanes[1]?.marks.map((mark) => mark.at)).toEqual([101, 101, 101]);
});

test("two calls of one tool are two bars", () => {
  const { lanes } = lanesOf(
    timeline([
      { at: 0, step: "queued" },
      { at: 1, step: "claimed" },
      { at: 2, step: "tool_started", tool: "ls" },
      { at: 3, step: "tool_started", tool: "ls" },
      { at: 4, step: "tool_completed", tool: "ls" },
      { at: 6, step: "tool_completed", tool: "ls" },
      { at: 7, step: "ended" },
    ]),
    9,
  );
  const tools = lanes[1]?.bars.filter((bar) => bar.kind === "tool");
  expect(tools?.map((bar) => [bar.from, bar.to])).toEqual([
    [2, 4],
    [3, 6],
  ]);
});
