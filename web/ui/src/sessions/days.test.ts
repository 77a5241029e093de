import { expect, it } from "vitest";
import { dayOf, linesOf } from "./days";
import { sampleSession } from "./sample";

const NOW = new Date(2026, 4, 14, 9, 30); // a Thursday
const at = (day: number, hour = 12) => new Date(2026, 4, day, hour).getTime();

it("days are those of the calendar of this computer", () => {
  expect(dayOf(at(14, 0), NOW)).toBe("Today");
  expect(dayOf(at(13, 23), NOW)).toBe("Yesterday");
  expect(dayOf(at(12), NOW)).toBe("Tuesday");
  expect(dayOf(at(8), NOW)).toBe("Friday");
  expect(dayOf(at(7), NOW)).toBe("May 2026");
});

it("a session of the future is one of today: a clock is wrong", () => {
  expect(dayOf(at(29), NOW)).toBe("Today");
});

it("each day is named once, and pinned sessions come first", () => {
  const sessions = [
    sampleSession({ id: "pinned", pinned: true, last_active: at(2) / 1000 }),
    sampleSession({ id: "one", last_active: at(14, 8) / 1000 }),
    sampleSession({ id: "two", last_active: at(14, 7) / 1000 }),
    sampleSession({ id: "three", last_active: at(13) / 1000 }),
  ];
  const said = linesOf(sessions, NOW).map((line) =>
    line.kind === "day" ? `# ${line.name}` : line.session.id,
  );
  expect(said).toEqual(["# Pinned", "pinned", "# Today", "one", "two", "# Yesterday", "three"]);
});
