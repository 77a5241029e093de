import { expect, test } from "vitest";
import type { RunFigures } from "../../client/api.generated";
import { pace, waited } from "./figures";
import { addressOf, filtersOf, nextRows, sinceOf } from "./filters";

function run(id: string, fields: Partial<RunFigures> = {}): RunFigures {
  return {
    object: "run",
    run_id: id,
    owner: "alice",
    session_id: "s",
    profile: "default",
    model: null,
    status: "running",
    reason: null,
    created_at: Number(id),
    claimed_at: null,
    first_token_at: null,
    ended_at: null,
    queue_position: null,
    attempts: 1,
    takeovers: 0,
    output_tokens: null,
    characters: null,
    worker: null,
    ...fields,
  };
}

const ids = (runs: readonly RunFigures[]) => runs.map((one) => one.run_id);

test("filters are the same after a trip through the address", () => {
  const query = "status=failed&owner=a+b&reason=timeout&period=week";
  const filters = filtersOf(new URLSearchParams(query));
  const again = filtersOf(new URLSearchParams(addressOf(filters).split("?")[1]));
  expect(again).toEqual(filters);
});

test("what is no filter is left out, and a change of filters begins at the newest run", () => {
  const filters = filtersOf(new URLSearchParams("status=odd&period=year&cursor=c&x=1"));
  expect(filters).toMatchObject({ status: undefined, period: "day", cursor: "c" });
  expect(addressOf(filters)).toBe("/runs");
});

test("open runs are shown however old they are", () => {
  const of = (query: string) => sinceOf(filtersOf(new URLSearchParams(query)), 1_000_000);
  expect(of("status=queued")).toBeUndefined();
  expect(of("status=failed&period=hour")).toBe(996_360);
});

test("rows follow the answer while nobody is among them", () => {
  const before = nextRows(undefined, [run("2"), run("1")], false);
  const after = nextRows(before, [run("3"), run("2")], false);
  expect([ids(after.runs), after.held]).toEqual([["3", "2"], 0]);
});

test("held rows keep their places, say what is new, and show what has changed", () => {
  const before = nextRows(undefined, [run("3"), run("2"), run("1")], false);
  const fresh = [run("4"), run("3", { status: "completed" }), run("1")];
  const after = nextRows(before, fresh, true);
  expect(ids(after.runs)).toEqual(["3", "2", "1"]);
  expect(after.runs[0]?.status).toBe("completed");
  expect([after.held, [...after.gone]]).toEqual([1, ["2"]]);
});

test("a row that is only on the next page by now is not gone", () => {
  const before = nextRows(undefined, [run("3"), run("2")], false);
  const after = nextRows(before, [run("4"), run("3")], true);
  expect([...after.gone]).toEqual([]);
});

test("tokens a second are counted at the end, and guessed before", () => {
  const live = run("100", { first_token_at: 110, characters: 400 });
  expect(pace(live, 120)).toEqual({ value: 10, isGuess: true });
  const done = run("100", {
    status: "completed",
    first_token_at: 110,
    ended_at: 115,
    output_tokens: 50,
  });
  expect(pace(done, 999)).toEqual({ value: 10, isGuess: false });
  expect(pace(run("100"), 120)).toBeUndefined();
});

test("a run waits until it is claimed", () => {
  expect(waited(run("100", { status: "queued" }), 130)).toBe(30);
  expect(waited(run("100", { claimed_at: 104 }), 130)).toBe(4);
  expect(waited(run("100", { status: "cancelled" }), 130)).toBeUndefined();
});
