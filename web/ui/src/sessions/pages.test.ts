import { expect, it } from "vitest";
import { merged } from "./pages";
import { sampleSession } from "./sample";

const sessions = (...ids: string[]) =>
  ids.map((id) => sampleSession({ id, last_active: Number(id) }));
const ids = (found: readonly { id: string }[]) => found.map((one) => one.id);

it("what was loaded behind the first page stays when that is read again", () => {
  expect(ids(merged(sessions("9", "8", "7", "6", "5"), sessions("9", "8", "7"), true))).toEqual([
    "9",
    "8",
    "7",
    "6",
    "5",
  ]);
});

it("a session that moved to the top is there once", () => {
  const moved = [sampleSession({ id: "5", last_active: 10 }), ...sessions("9", "8")];
  expect(ids(merged(sessions("9", "8", "7", "6", "5"), moved, true))).toEqual([
    "5",
    "9",
    "8",
    "7",
    "6",
  ]);
});

it("a session that has left the first page is gone", () => {
  expect(ids(merged(sessions("9", "8", "7", "6"), sessions("9", "7"), true))).toEqual([
    "9",
    "7",
    "6",
  ]);
});

it("a first page that is all there is replaces everything", () => {
  expect(ids(merged(sessions("9", "8", "7"), sessions("9"), false))).toEqual(["9"]);
});

it("unpinned sessions come behind pinned ones, whenever they were active", () => {
  const pinned = sampleSession({ id: "1", pinned: true, last_active: 1 });
  expect(ids(merged(sessions("9", "8"), [pinned], true))).toEqual(["1", "9", "8"]);
});
