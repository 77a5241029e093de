import { expect, test } from "vitest";
import { duration } from "../parts/formats";
import { paceOf } from "./pace";

const piece = (at: number, characters: number) => ({
  seq: 1,
  event: "message.delta",
  at,
  characters,
  payload: null,
});

test("characters are summed by second, with the longest pause before each", () => {
  const found = paceOf([piece(10, 4), piece(10.5, 6), piece(12.2, 3)]);
  expect(found.seconds).toEqual([0, 1, 2]);
  expect(found.characters).toEqual([10, 0, 3]);
  expect(found.gaps[2]).toBeCloseTo(1.7);
});

test("a long answer has no more points than can be drawn", () => {
  const found = paceOf([piece(0, 1), piece(86_400, 1)]);
  expect(found.seconds.length).toBeLessThanOrEqual(602);
});

test("events without text, or without a time, are no pieces", () => {
  const other = { ...piece(1, 1), characters: null };
  expect(paceOf([other]).seconds).toEqual([]);
});

test("durations are as long as they have to be", () => {
  expect([0, 0.0421, 9.96, 75, 7_300, 200_000].map(duration)).toEqual([
    "0 s",
    "0.042 s",
    "10.0 s",
    "1 min 15 s",
    "2 h 1 min",
    "2 d 7 h",
  ]);
  expect(duration(null)).toBe("–");
});
