import { expect, it } from "vitest";
import type { Question, SessionView } from "../client";
import { marksOf, unlessSame } from "./marks";

const question = { id: 3, runId: "r" } as Question;
const view = (sessionId: string, fields: Partial<SessionView>): SessionView =>
  ({ sessionId, state: "live", isWorking: false, questions: [], ...fields }) as SessionView;

it("a session that works is live, one that asks needs somebody", () => {
  const views = [
    view("works", { isWorking: true }),
    view("asks", { isWorking: true, questions: [question] }),
    view("answered", { isWorking: true, questions: [{ ...question, chosen: "once" }] }),
    view("rests", {}),
  ];
  expect([...marksOf(views, [])]).toEqual([
    ["works", "live"],
    ["asks", "needs"],
    ["answered", "live"],
  ]);
});

it("a view that is up to date knows better than the list", () => {
  const marks = marksOf(
    [view("over", {}), view("stale", { state: "stale" })],
    ["over", "stale", "far"],
  );
  expect([...marks.keys()]).toEqual(["stale", "far"]);
});

it("marks that are the same are the same value", () => {
  const before = marksOf([], ["a"]);
  expect(unlessSame(before, marksOf([], ["a"]))).toBe(before);
  expect(unlessSame(before, marksOf([], ["b"]))).not.toBe(before);
});
