import { expect, it } from "vitest";
import { fold, type AnyEvent, type LiveMessage } from "./fold";

function folded(...events: [name: string, timestamp: number, fields?: object][]): LiveMessage[] {
  return events.reduce<readonly LiveMessage[]>((messages, [event, timestamp, fields], index) => {
    const of = { run_id: "r", epoch: 1, seq: index + 1 };
    const one: AnyEvent = { event, timestamp, ...of, text: "x", delta: "x", tool: "t", ...fields };
    return fold(messages, one);
  }, []) as LiveMessage[];
}

it("times reasoning by the server's clock, until text, a tool or the end follow", () => {
  const messages = folded(
    ["reasoning.delta", 100],
    ["reasoning.delta", 101],
    ["message.delta", 103.5],
    ["message.delta", 104],
    ["tool.started", 111],
    ["reasoning.delta", 112],
    ["tool.started", 114],
    ["message.delta", 115],
    ["tool.started", 116],
    ["thinking.delta", 120],
    ["run.completed", 121, { output: "" }],
  );
  const answers = messages.filter((one) => one.role === "assistant");
  expect(answers.map((one) => one.reasoning_duration)).toEqual([3.5, 2, undefined, 1]);
  const backwards = folded(["reasoning.delta", 100], ["run.completed", 90, { output: "42" }]);
  expect(backwards[0]).toMatchObject({ content: "42", reasoning_duration: 0 });
});
