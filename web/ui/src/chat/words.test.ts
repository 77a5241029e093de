import { expect, it } from "vitest";
import type { ConnectionState, SessionView } from "../client";
import { connectionWords, runWords, seconds } from "./words";

const NOW = 100_000;
const view = (fields: Partial<SessionView> = {}): SessionView =>
  ({
    state: "live",
    since: NOW,
    live: [],
    questions: [],
    states: new Map(),
    ...fields,
  }) as SessionView;

it("every wait says since when, and what comes next", () => {
  const words = (state: ConnectionState, of = view()) => connectionWords(state, of, NOW).text;
  const live: ConnectionState = { kind: "live", since: 0 };
  expect(words({ kind: "waiting", since: 88_000, retryAt: 103_000 })).toBe(
    "No connection for 12 s. Next try in 3 s.",
  );
  expect(words({ kind: "connecting", since: 95_000 })).toBe("Connecting for 5 s.");
  expect(words(live, view({ state: "stale", since: 96_000 }))).toBe("Catching up for 4 s.");
  expect(words(live)).toBe("Live");
});

it("a run says what it waits for", () => {
  const states = (name: string, fields: object) =>
    new Map([[name, fields as never]]) as SessionView["states"];
  expect(runWords(view())).toBe("Waiting for the first word.");
  expect(runWords(view({ status: "queued" }))).toBe("Waiting for a worker.");
  expect(runWords(view({ states: states("run.retrying", { delay: 4.2 }) }))).toBe(
    "The gateway cannot take it now. Tried again in about 5 s.",
  );
  expect(runWords(view({ states: states("run.reattached", { mode: "polling" }) }))).toContain(
    "its text is shown when it is done",
  );
});

it("long times are in minutes and hours", () => {
  expect([seconds(59_400), seconds(61_000), seconds(3_720_000)]).toEqual([
    "59 s",
    "1 min 1 s",
    "1 h 2 min",
  ]);
});
