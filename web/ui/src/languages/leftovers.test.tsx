/** Every view in a made-up language: what is not in brackets is no catalogue's. */
import { cleanup, render } from "@testing-library/react";
import type { ReactElement } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { leftover, pseudo, textOf } from "./pseudo";

vi.mock("./catalogue", () => ({
  catalogue:
    <T,>(en: T) =>
    () =>
      pseudo(en),
}));

const { Sidebar } = await import("../sessions/sidebar");
const { SessionRow } = await import("../sessions/session_row");
const { SessionListStore } = await import("../sessions/session_list");
const { SearchDialog } = await import("../sessions/search_dialog");
const { UndoList } = await import("../sessions/undo_list");
const { SettingsDialog } = await import("../settings/settings_dialog");
const { ShortcutHelp } = await import("../shortcuts/help");
const { SignIn } = await import("../sign_in/sign_in");
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
