import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Deletions, UNDO_WITHIN } from "./deletions";

let asked: string[][];
let answer: (ids: string[]) => Response;
const gone: string[] = [];
const refused: string[] = [];

const made = () =>
  new Deletions({
    owner: "alice",
    onChange: () => undefined,
    onDeleted: (ids) => gone.push(...ids),
    onRefused: (wish, why) => refused.push(`${wish.name}: ${why}`),
  });
const all = (error: string | null) => (ids: string[]) =>
  Response.json({ data: ids.map((id) => ({ id, deleted: error === null, error })) });

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  [asked, answer] = [[], all(null)];
  gone.length = refused.length = 0;
  vi.stubGlobal("fetch", (_url: string, { body }: { body: string }) => {
    const { ids } = JSON.parse(body) as { ids: string[] };
    asked.push(ids);
    return Promise.resolve().then(() => answer(ids));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("nothing is asked of the server before the time to take it back is over", async () => {
  const deletions = made();
  deletions.add("s1", "One");
  await vi.advanceTimersByTimeAsync(UNDO_WITHIN - 1);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect([asked, gone, deletions.value]).toEqual([[["s1"]], ["s1"], []]);
});

it("what was taken back is not deleted", async () => {
  const deletions = made();
  deletions.add("s1", "One");
  deletions.add("s2", "Two");
  deletions.undo("s1");
  await vi.advanceTimersByTimeAsync(2 * UNDO_WITHIN);
  expect(gone).toEqual(["s2"]);
});

it("a tab that dies loses no wish: the next one carries it out", async () => {
  const first = made();
  first.add("s1", "One");
  first.stop();
  vi.setSystemTime(Date.now() + 3_600_000);
  const next = made();
  next.start();
  await vi.advanceTimersByTimeAsync(1);
  expect(gone).toEqual(["s1"]);
});

it("a server that cannot be reached is asked again", async () => {
  answer = () => {
    throw new TypeError("offline");
  };
  const deletions = made();
  deletions.add("s1", "One");
  await vi.advanceTimersByTimeAsync(UNDO_WITHIN);
  expect(deletions.value).toHaveLength(1);
  answer = all(null);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([gone, deletions.value]).toEqual([["s1"], []]);
});

it("a session that somebody else has deleted is gone", async () => {
  answer = all("session_not_found");
  made().add("s1", "One");
  await vi.advanceTimersByTimeAsync(UNDO_WITHIN);
  expect([gone, refused]).toEqual([["s1"], []]);
});

it("what the server refuses is said, and kept", async () => {
  answer = all("server_busy");
  const deletions = made();
  deletions.add("s1", "One");
  await vi.advanceTimersByTimeAsync(UNDO_WITHIN);
  expect([gone, refused, deletions.value]).toEqual([[], ["One: server_busy"], []]);
});

it("a page that is closed carries it out at once, and keeps the wish until it is answered", async () => {
  const deletions = made();
  deletions.add("s1", "One");
  deletions.hurry();
  expect(asked).toEqual([["s1"]]);
  expect(made().value).toEqual([{ id: "s1", name: "One", since: 0 }]);
  await vi.advanceTimersByTimeAsync(1);
  expect(made().value).toEqual([]);
});

it("a clock that was set back does not keep a wish for ever", async () => {
  const deletions = made();
  deletions.add("s1", "One");
  deletions.stop();
  vi.setSystemTime(Date.now() - 86_400_000);
  made().start();
  await vi.advanceTimersByTimeAsync(1);
  expect(gone).toEqual(["s1"]);
});
