import { beforeEach, expect, it } from "vitest";
import { ReadMarks } from "./read_marks";
import { sampleSession } from "./sample";

const session = (id: string, last_active: number) => sampleSession({ id, last_active });

beforeEach(() => localStorage.clear());

it("what is there when a browser comes for the first time counts as read", () => {
  const marks = new ReadMarks("alice");
  marks.begin([session("a", 100), session("b", 90)]);
  expect(marks.isUnread(session("b", 90))).toBe(false);
  expect(marks.isUnread(session("b", 101))).toBe(true);
});

it("a session that was seen is read, until it has something new", () => {
  const marks = new ReadMarks("alice");
  marks.begin([session("a", 100)]);
  marks.see(session("b", 101));
  expect(marks.isUnread(session("b", 101))).toBe(false);
  expect(marks.isUnread(session("b", 102))).toBe(true);
});

it("what one tab has seen is read in the others", () => {
  const [one, other] = [new ReadMarks("alice"), new ReadMarks("alice")];
  one.begin([session("a", 100)]);
  other.reload();
  one.see(session("b", 101));
  other.see(session("c", 102));
  one.reload();
  expect([one, other].map((marks) => marks.isUnread(session("b", 101)))).toEqual([false, false]);
  expect(one.isUnread(session("c", 102))).toBe(false);
});

it("users of one browser have marks of their own", () => {
  new ReadMarks("alice").begin([session("a", 100)]);
  expect(new ReadMarks("bob").isUnread(session("a", 200))).toBe(false);
});

it("of very many marks the newest are kept, and older sessions stay read", () => {
  const marks = new ReadMarks("alice");
  marks.begin([session("a", 0)]);
  for (let at = 1; at <= 1000; at += 1) marks.see(session(`s${at}`, at));
  expect(marks.isUnread(session("s1", 1))).toBe(false);
  expect(marks.isUnread(session("s1000", 1000))).toBe(false);
  expect(marks.isUnread(session("s1", 1001))).toBe(true);
  expect((localStorage.getItem(marks.key) ?? "").length).toBeLessThan(10_000);
});
