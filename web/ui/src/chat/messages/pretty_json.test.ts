import { describe, expect, it } from "vitest";
import { prettyJson } from "./pretty_json";

describe("pretty JSON", () => {
  it("is indented", () => {
    expect(prettyJson('{"a":[1,-2.5,"3.0"]}')).toBe(
      '{\n  "a": [\n    1,\n    -2.5,\n    "3.0"\n  ]\n}',
    );
  });

  it("keeps every digit of a number", () => {
    for (const number of ["12345678901234567890", "1.10", "1e400", "-0", "1E5"]) {
      const text = `{"id": ${number}}`;
      expect(prettyJson(text)).toBe(text);
    }
  });

  it("is made of objects and lists only", () => {
    for (const text of ["12", "  spaces ", "[not json", '{"a": 1'])
      expect(prettyJson(text)).toBe(text);
  });
});
