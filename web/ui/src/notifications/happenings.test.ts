import { expect, it } from "vitest";
import type { Message, SessionView } from "../client";
import { happenings } from "./happenings";

const view = (fields: Partial<SessionView>): SessionView =>
  ({
    sessionId: "s1",
    title: "Plans",
    state: "live",
    isWorking: false,
    questions: [],
    older: [],
    stored: [],
    live: [],
    ...fields,
  }) as unknown as SessionView;
const working = view({ isWorking: true, liveRun: "r1" });
const said = (content: string, fields: Partial<Message> = {}) =>
  [{ id: 1, role: "assistant", run_id: "r1", content, reasoning: "", ...fields }] as Message[];
const brief = (before: SessionView, after: SessionView) =>
  happenings(before, after).map(({ kind, key, text }) => [kind, key, text]);

it("an end that came as an event, and one that a snapshot brought, are the same", () => {
  const byEvent = view({
    liveRun: "r1",
    stored: said("Done."),
    end: { runId: "r1", status: "completed" },
  });
  const bySnapshot = view({ stored: said("Done.") });
  expect(brief(working, byEvent)).toEqual([["done", "r1", "Done."]]);
  expect(brief(working, bySnapshot)).toEqual([["done", "r1", "Done."]]);
  expect(brief(byEvent, bySnapshot)).toEqual([]);
});

it("an end after which the next message begins is an end", () => {
  const next = view({ isWorking: true, liveRun: "r2", stored: said("Done.") });
  expect(brief(working, next)).toEqual([["done", "r1", "Done."]]);
});

it("a lost connection is no end", () => {
  expect(brief(working, { ...working, state: "stale", isWorking: false })).toEqual([]);
});

it("who stopped it knows that it ended", () => {
  expect(brief(working, view({ end: { runId: "r1", status: "aborted" } }))).toEqual([]);
  expect(brief(working, view({ stored: said("Half", { finish_reason: "aborted" }) }))).toEqual([]);
});

it("a failure is said as one", () => {
  expect(brief(working, view({ end: { runId: "r1", status: "failed" } }))).toEqual([
    ["failed", "r1", ""],
  ]);
});

it("each question is told once", () => {
  const question = { id: 7, runId: "r1", command: "rm -rf ./demo", description: "", choices: [] };
  const asked = { ...working, questions: [question] };
  expect(brief(working, asked)).toEqual([["question", "r1:7", "rm -rf ./demo"]]);
  expect(brief(asked, { ...asked })).toEqual([]);
});
