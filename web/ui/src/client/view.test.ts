import { describe, expect, it } from "vitest";
import type { AnyEvent } from "./fold";
import type { Message } from "./protocol.generated";
import {
  cursorOf,
  emptyView,
  messagesOf,
  withChoice,
  withRunEvent,
  withSessionEvent,
  withSnapshot,
  type SessionView,
  type Snapshot,
} from "./view";

const NOW = 1_000;

function event(name: string, seq: number, fields: object = {}, epoch = 1): AnyEvent {
  return { event: name, run_id: "r1", epoch, seq, session_id: "s", ...fields };
}

function snapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    messages: [],
    total: 0,
    hasMore: false,
    isWorking: false,
    events: [],
    queue: [],
    inputTokens: 0,
    outputTokens: 0,
    ...fields,
  };
}

function prompt(id: string, run = "r1"): Message {
  return { id, run_id: run, role: "user", content: "hello", reasoning: "" };
}

const started = withSnapshot(emptyView("s", 0), snapshot(), NOW);

function after(view: SessionView, ...events: AnyEvent[]): SessionView {
  return events.reduce((at, one) => withRunEvent(at, one).view, view);
}

const texts = (view: SessionView) => messagesOf(view).map((one) => one.content);

describe("a snapshot", () => {
  const asked = (seq: number) => event("approval.request", seq, { command: `c${seq}` });

  it("has all open questions, and keeps what was chosen here", () => {
    const all = { approvals: [asked(2), asked(5)], run_id: "r1", epoch: 1, seq: 6 };
    const view = withSnapshot(started, snapshot(all), NOW);
    expect(view.questions.map((one) => [one.id, one.command])).toEqual([
      [2, "c2"],
      [5, "c5"],
    ]);
    const chosen = withSnapshot(withChoice(view, 5, "deny"), snapshot(all), NOW);
    expect(chosen.questions.map((one) => one.chosen)).toEqual([undefined, "deny"]);
  });

  it("says how turns ended that were not answered", () => {
    const ends = [{ run_id: "r1", status: "failed" as const, error: "no answer" }];
    expect(withSnapshot(started, snapshot({ ends }), NOW).ends.get("r1")?.error).toBe("no answer");
  });
});

describe("events of a run", () => {
  const one = event("message.delta", 1, { delta: "a" });
  const two = event("message.delta", 2, { delta: "b" });

  it("are each taken once", () => {
    const view = after(started, one, one, two, one, two);
    expect(texts(view)).toEqual(["ab"]);
    expect(withRunEvent(view, one)).toEqual({ view }); // and nothing is asked for
  });

  it("of an earlier epoch are dropped", () => {
    const view = after(started, one, event("message.delta", 2, { delta: "x" }, 0));
    expect(texts(view)).toEqual(["a"]);
  });

  it("with a gap ask for what is missing", () => {
    const change = withRunEvent(after(started, one), event("message.delta", 3, { delta: "c" }));
    expect(change.ask).toBe("after");
    expect(texts(change.view)).toEqual(["a"]);
  });

  it("of a later epoch, or of a run whose beginning is unknown, ask for everything", () => {
    expect(withRunEvent(after(started, one), event("message.delta", 1, {}, 2)).ask).toBe("all");
    expect(withRunEvent(started, event("message.delta", 7, { delta: "x" })).ask).toBe("all");
  });

  it("wait for the snapshot that holds them", () => {
    const stale: SessionView = { ...after(started, one), state: "stale" };
    expect(withRunEvent(stale, two).view).toBe(stale);
  });

  it("that end it ask for what was stored, and keep the reason", () => {
    const change = withRunEvent(
      after(started, one),
      event("run.failed", 2, { error: "no answer", reason: "timeout" }),
    );
    expect(change.ask).toBe("all");
    expect(change.view.isWorking).toBe(false);
    expect(change.view.end).toMatchObject({ status: "failed", error: "no answer" });
  });

  it("show a stop that the gateway did not confirm", () => {
    const view = after(
      started,
      event("abort.completed", 1, { synced: false }),
      event("run.completed", 2, { status: "aborted" }),
    );
    expect(view.end).toMatchObject({ status: "aborted", unconfirmed: true });
  });
});

describe("a snapshot in the middle of a run", () => {
  const middle = snapshot({
    messages: [
      prompt("p"),
      {
        id: "r1:1",
        role: "assistant",
        content: "a",
        reasoning: "",
        finish_reason: "tool_calls",
      },
      { id: "r1:2", role: "tool", content: "", reasoning: "", tool_name: "clock" },
    ],
    isWorking: true,
    run_id: "r1",
    epoch: 1,
    seq: 5,
  });

  it("is continued as if all of it had been watched", () => {
    const watched = after(
      started,
      event("message.delta", 1, { delta: "a" }),
      event("tool.started", 2, { tool: "clock" }),
      event("tool.completed", 3, { tool: "clock", duration: 1 }),
      event("message.delta", 4, { delta: "b" }),
    );
    const joined = after(
      withSnapshot(emptyView("s", 0), middle, NOW),
      event("tool.completed", 6, { tool: "clock", duration: 1 }),
      event("message.delta", 7, { delta: "b" }),
    );
    const of = (view: SessionView) =>
      view.live.map(({ role, content, open, error }) => ({ role, content, open, error }));
    expect(of(joined)).toEqual(of(watched));
  });

  it("gives the cursor to go on from", () => {
    const view = withSnapshot(emptyView("s", 0), middle, NOW);
    expect(cursorOf(view)).toEqual({ run_id: "r1", epoch: 1, seq: 5 });
  });

  it("shows the question that is open, and not one that was answered", () => {
    const asked = event("approval.request", 4, { command: "rm", choices: ["once", "deny"] });
    const answered = event("approval.responded", 5, { choice: "once" });
    const events = [{ event: asked.event, data: asked }];
    const open = withSnapshot(started, { ...middle, events }, NOW);
    expect(open.questions.map((one) => one.id)).toEqual([4]);
    const both = [...events, { event: answered.event, data: answered }];
    expect(withSnapshot(started, { ...middle, events: both }, NOW).questions).toEqual([]);
  });

  it("with replay keeps the messages, which follow as events", () => {
    const view = after(started, event("message.delta", 1, { delta: "a" }));
    const replayed = withSnapshot(
      { ...view, state: "stale" },
      snapshot({ replay: true, isWorking: true }),
      NOW,
    );
    expect(texts(replayed)).toEqual(["a"]);
    expect(replayed.state).toBe("live");
  });
});

describe("a prompt", () => {
  const added = { event: "message.added", session_id: "s", run_id: "r1", message: prompt("p") };

  it("is shown once, before its answer", () => {
    const once = withSessionEvent(started, added, NOW).view;
    const twice = withSessionEvent(once, added, NOW).view;
    const view = after(twice, event("message.delta", 1, { delta: "a" }));
    expect(texts(view)).toEqual(["hello", "a"]);
  });

  it("of the next run comes after the answer of the run before", () => {
    const first = after(started, event("message.delta", 1, { delta: "a" }));
    const next = { ...added, run_id: "r2", message: prompt("p2", "r2") };
    const view = withSessionEvent(first, next, NOW).view;
    const both = withRunEvent(view, {
      ...event("message.delta", 1, { delta: "b" }),
      run_id: "r2",
    }).view;
    expect(texts(both)).toEqual(["a", "hello", "b"]);
  });
});
