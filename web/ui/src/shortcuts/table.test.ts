import { expect, it } from "vitest";
import { pressedShortcut, type Pressed } from "./table";
import { sends } from "./send_key";
import { bind, run } from "./use_shortcut";

const press = (key: string, fields: Partial<Pressed> = {}) =>
  pressedShortcut({ key, mod: false, shift: false, ...fields })?.id;

it("a sign is a shortcut only where nobody writes", () => {
  expect(press("?", { shift: true })).toBe("help");
  expect(press("?", { shift: true, field: "what" })).toBeUndefined();
  expect(press("/", { mod: true, field: "what" })).toBe("help");
});

it("the arrow edits the last message from an empty field only", () => {
  expect(press("ArrowUp", { field: "" })).toBe("edit_last");
  expect(press("ArrowUp", { field: "half a thought" })).toBeUndefined();
  expect(press("ArrowUp")).toBeUndefined();
});

it("letters count with exactly their modifiers", () => {
  expect(press("k", { mod: true, field: "text" })).toBe("search");
  expect(press("K", { mod: true, shift: true })).toBeUndefined();
  expect(press("k")).toBeUndefined();
  expect(press("O", { mod: true, shift: true })).toBe("new");
});

it("the last binding is asked first, and may leave it to the others", () => {
  const done: string[] = [];
  const ends = [
    bind("stop", () => done.push("page")),
    bind("stop", () => {
      done.push("dialog");
      return false;
    }),
  ];
  expect(run("stop")).toBe(true);
  expect(done).toEqual(["dialog", "page"]);
  for (const end of ends) end();
  expect(run("stop")).toBe(false);
});

it("Enter sends where it was chosen, Ctrl+Enter everywhere, Shift+Enter nowhere", () => {
  const enter = { key: "Enter", shiftKey: false, ctrlKey: false, metaKey: false };
  expect(sends(enter, "enter")).toBe(true);
  expect(sends(enter, "ctrl_enter")).toBe(false);
  expect(sends({ ...enter, ctrlKey: true }, "ctrl_enter")).toBe(true);
  expect(sends({ ...enter, ctrlKey: true }, "enter")).toBe(true);
  expect(sends({ ...enter, shiftKey: true }, "enter")).toBe(false);
});
