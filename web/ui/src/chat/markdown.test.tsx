import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { blocksOf, Markdown } from "./markdown";

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
