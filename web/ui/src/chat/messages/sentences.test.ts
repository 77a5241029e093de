import { describe, expect, it } from "vitest";
import { wholeSentences } from "./sentences";

const said = (text: string, from = 0) => text.slice(from, from + wholeSentences(text, from));

describe("sentences", () => {
  it("end with their mark, not with a dot in a number", () => {
    expect(said("One. Two is 2.5 of")).toBe("One.");
    expect(said("One. Two! Thr", 4)).toBe(" Two!");
    expect(said("你好。再见")).toBe("你好。");
    expect(said("A title\n\nText")).toBe("A title\n\n");
    expect(said("half a wo")).toBe("");
  });

  it("are looked for in a time that grows with the text, not with its square", () => {
    expect(wholeSentences("word ".repeat(400_000), 0)).toBe(0); // else this takes minutes
  });
});
