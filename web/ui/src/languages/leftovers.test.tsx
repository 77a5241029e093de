/** Every view in a made-up language: what is not in brackets is no catalogue's. */
import { cleanup, render } from "@testing-library/react";
import type { ReactElement } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { leftover, pseudo, textOf } from "./pseudo";

vi.mock("./catalogue", () => ({
  catalogue: <T,>(en: T) => {
    const words = pseudo(en);
    return () => words;
  },
  spoken: pseudo,
}));

const { Sidebar } = await import("../sessions/sidebar");
const { SessionRow } = await import("../sessions/session_row");
const { SessionListStore } = await import("../sessions/session_list");
const { SearchDialog } = await import("../sessions/search_dialog");
const { UndoList } = await import("../sessions/undo_list");
const { SettingsDialog } = await import("../settings/settings_dialog");
const { ShortcutHelp } = await import("../shortcuts/help");
const { SignIn } = await import("../sign_in/sign_in");
const { QuestionCard } = await import("../chat/messages/question_card");
const { QueueList } = await import("../chat/writing/queue_list");
const { CopyButton } = await import("../chat/copy_button");
const { ConnectionLine } = await import("../chat/connection_line");
const { RunStatus } = await import("../chat/messages/run_status");
const { DemoLine, Welcome } = await import("../chat/welcome");
const { Prompt } = await import("../chat/messages/prompt");
const { Composer } = await import("../chat/writing/composer");
const { Markdown } = await import("../chat/markdown/markdown");
const { Answer, Ending, Reasoning, Tool } = await import("../chat/messages/parts");
const { emptyView } = await import("../client/view");
const { sampleSession } = await import("../sessions/sample");
const { pressedShortcut } = await import("../shortcuts/table");

/** Names of things, which are the same in all languages. */
const NAMES = new Set(["Holdfast", "English", "Deutsch"]);
const nothing = () => undefined;
const who = { owner: "‹alice›", role: "user", demoGateway: true, version: "1.0" };
const session = sampleSession({ id: "‹s1›", title: "‹Plans›", archived: true, workspace: "‹w›" });

function leftoversOf(view: ReactElement): string[] {
  render(view);
  const found = leftover(textOf(document.body));
  cleanup();
  return found.filter((word) => !NAMES.has(word));
}

beforeEach(() => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("offline")));
});

afterEach(() => vi.unstubAllGlobals());

it("a leftover is found", () => {
  expect(leftoversOf(<p title="⟦known⟧">⟦1 ⟦nested⟧⟧ forgotten</p>)).toEqual(["forgotten"]);
  expect(pressedShortcut({ key: "k", mod: true, shift: false })?.id).toBe("search");
});

it("the list of sessions", () => {
  const list = new SessionListStore({ owner: "alice", onChange: nothing, onLive: nothing });
  const listing = { ...list.value, search: "‹x›", hasMore: true, failure: "⟦why⟧" };
  for (const given of [list.value, listing, { ...listing, state: "ready" as const, search: "" }])
    expect(
      leftoversOf(
        <Sidebar
          listing={given}
          list={list}
          marks={new Map()}
          isLive
          unsent={[{ id: "‹s2›", title: "‹Unsent›" }]}
          current=""
          owner="‹alice›"
          isOpen
          onOpen={nothing}
          onClose={nothing}
          onSettings={nothing}
          onSignOut={nothing}
        />,
      ),
    ).toEqual([]);
});

it("a session and what is done to it", () => {
  for (const mode of ["shown", "actions", "title", "workspace"] as const)
    for (const mark of [undefined, "live", "needs"] as const)
      expect(
        leftoversOf(
          <SessionRow
            session={session}
            mode={mode}
            mark={mark}
            isUnread
            isCurrent
            isReachable
            onMode={nothing}
            onOpen={nothing}
            onChange={nothing}
            onRemove={nothing}
          />,
        ),
      ).toEqual([]);
  const wish = { id: "‹s1›", name: "‹Plans›", since: Date.now() };
  expect(leftoversOf(<UndoList leaving={[wish]} onUndo={nothing} />)).toEqual([]);
});

it("the dialogs", () => {
  const settings = (
    <SettingsDialog who={who} onShortcuts={nothing} onSignOut={nothing} onClose={nothing} />
  );
  expect(leftoversOf(settings)).toEqual([]);
  expect(leftoversOf(<ShortcutHelp onClose={nothing} />)).toEqual([]);
  expect(leftoversOf(<SearchDialog onOpen={nothing} onClose={nothing} />)).toEqual([]);
});

it("signing in", () => {
  expect(leftoversOf(<SignIn why="⟦why⟧" onFound={nothing} />)).toEqual([]);
});

it("the connection and what a run does", () => {
  const view = { ...emptyView("s1", 0), isWorking: true, state: "live" as const };
  const connections = [
    { kind: "live", since: 0 },
    { kind: "connecting", since: 0 },
    { kind: "waiting", since: 0, retryAt: Date.now() + 9_000 },
    { kind: "signed-out", since: 0 },
    { kind: "closed", since: 0 },
  ] as const;
  const event = (name: string, fields = {}) =>
    new Map([[name, { event: name, ...fields } as never]]);
  const views = [
    view,
    { ...view, state: "loading" as const },
    { ...view, state: "stale" as const, degraded: true },
    { ...view, degraded: true },
    { ...view, status: "queued" },
    { ...view, status: "stopping" },
    { ...view, states: event("run.retrying", { delay: 3, reason: "post_uncertain" }) },
    { ...view, states: event("run.reattached", { mode: "polling" }) },
    { ...view, states: event("compression.started") },
    { ...view, states: event("compression.completed", { compressed: true, beforeTokens: 9 }) },
  ];
  for (const connection of connections)
    for (const one of views) {
      expect(
        leftoversOf(<ConnectionLine connection={connection} view={one} onTry={nothing} />),
      ).toEqual([]);
      expect(
        leftoversOf(<RunStatus connection={connection} view={one} onAnswer={nothing} />),
      ).toEqual([]);
    }
});

it("the parts of a conversation", () => {
  const question = {
    id: 1,
    runId: "r",
    command: "‹rm›",
    description: "‹why›",
    choices: ["once", "session", "always", "deny"],
  };
  const tool = { kind: "tool", key: "k", name: "‹tool›", given: "‹a›", output: "" } as const;
  const actions = {} as never;
  const views = [
    <QuestionCard question={question} canAnswer onAnswer={nothing} />,
    <QuestionCard
      question={{ ...question, chosen: "once" }}
      canAnswer={false}
      onAnswer={nothing}
    />,
    <QueueList
      queue={[{ run_id: "r", input: "‹next›", created_at: 0 }]}
      onCancel={nothing}
      onEdit={nothing}
    />,
    <CopyButton text="‹t›" what="code" />,
    <Welcome isDemo onSend={nothing} />,
    <Composer
      message={{ text: "‹t›", isEmpty: false, attachments: [], refused: undefined } as never}
      isWorking
      canStop
      options={null}
      onSend={nothing}
      onStop={nothing}
    />,
    <Markdown text={"| ‹a› |\n| --- |\n| ‹b› |\n\n```\n‹c›\n```"} isLive={false} />,
    <Answer item={{ kind: "answer", key: "k", text: "‹t›", isLive: false }} />,
    <Reasoning item={{ kind: "reasoning", key: "k", text: "‹t›", isLive: true }} />,
    ...(["waiting", "refused"] as const).map((state) => (
      <Prompt
        key={state}
        item={{
          kind: "prompt",
          key: "k",
          input: "‹t›",
          isCut: true,
          sending: { id: "o", sessionId: "s", input: "‹t›", state } as never,
        }}
        actions={actions}
      />
    )),
    <Tool item={{ ...tool, isRunning: false, isError: false }} />,
    <Ending
      item={{ kind: "ending", key: "k", how: "stopped", why: "", prompt: "" }}
      actions={actions}
    />,
  ];
  for (const view of views) expect(leftoversOf(view)).toEqual([]);
  const commands =
    "API SERVER ENABLED true KEY some secret hermes gateway run URL http HERMES make";
  const words = new Set(commands.split(" "));
  expect(leftoversOf(<DemoLine />).filter((word) => !words.has(word))).toEqual([]);
});
