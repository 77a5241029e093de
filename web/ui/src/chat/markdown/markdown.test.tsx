import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { blocksOf } from "./blocks";
import { Markdown } from "./markdown";

const html = (text: string, isLive = false) =>
  render(<Markdown text={text} isLive={isLive} />).container;

describe("Markdown", () => {
  it("shows HTML as text", () => {
    const shown = html("<img src=x onerror=alert(1)>\n\ninline <b>bold</b>");
    expect(shown.querySelector("img, b")).toBeNull();
    expect(shown.textContent).toContain("<img src=x onerror=alert(1)>");
  });

  it("drops addresses that run something", () => {
    const shown = html("[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org)");
    const links = Array.from(shown.querySelectorAll("a"), (link) => link.getAttribute("href"));
    expect(links).toEqual(["https://example.org"]);
  });

  it("loads no image", () => {
    const shown = html("![secret](https://elsewhere.example/x.png)");
    expect(shown.querySelector("img")).toBeNull();
    expect(shown.querySelector("a")?.textContent).toBe("Image: secret");
  });

  it("closes what is still open while it grows", () => {
    expect(html("This is **bold and", true).querySelector("strong")?.textContent).toBe("bold and");
    expect(html("```js\nlet a", true).querySelector("pre")?.textContent).toBe("let a");
  });

  it("shows the text of footnotes", () => {
    const shown = html("One[^1] and two[^b].\n\n[^1]: The first note.\n\n[^b]: Word\n\nLast.");
    expect(shown.textContent).toContain("The first note.");
    expect(shown.textContent).toContain("Word");
    expect(shown.textContent).toContain("Last.");
  });

  it("finds definitions in other blocks", () => {
    expect(html("[a][x]\n\ntext\n\n[x]: https://example.org").querySelector("a")?.href).toBe(
      "https://example.org/",
    );
  });
});

it("blocks that are done stay the same while the text grows", () => {
  const before = blocksOf("# Title\n\nOne.\n\n- a\n- b");
  const after = blocksOf("# Title\n\nOne.\n\n- a\n- b\n- c\n\nTwo");
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after).toHaveLength(4);
});

describe("formulas", () => {
  const kinds = (text: string) => blocksOf(text).map((one) => [one.kind, one.text.trim()]);

  it("of their own are blocks, whatever lines they have", () => {
    expect(kinds("a\n\n$$\nx\n- y\n= z\n$$\n\nb")).toEqual([
      ["markdown", "a"],
      ["math", "x\n- y\n= z"],
      ["markdown", "b"],
    ]);
    expect(kinds("\\[\nx\n\\]")).toEqual([["math", "x"]]);
    expect(kinds("$$\nnot yet")).toEqual([["markdown", "$$\nnot yet"]]);
  });

  it("in a line are found, and prices and code are not", () => {
    expect(kinds("\\(a\\) and $b$, `$c$`, $5 or $6, \\$d$")).toEqual([
      ["markdown", "$$a$$ and $$b$$, `$c$`, $5 or $6, \\$d$"],
    ]);
    expect(kinds("```\n$a$\n```")).toEqual([["markdown", "```\n$a$\n```"]]);
  });

  it("become MathML without addresses and styles", async () => {
    const { render: drawn } = await import("./math");
    const { container } = render(<>{drawn("\\frac{a}{b} \\href{javascript:1}{c}", true)}</>);
    expect(container.querySelector("math mfrac")).not.toBeNull();
    expect(container.querySelector("[href], [style], annotation")).toBeNull();
    expect(drawn("\\frac{", true)).toBeUndefined();
  });
});
