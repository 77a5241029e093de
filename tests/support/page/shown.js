// Reads what the page shows; evaluated in it after the script `reference`.
globalThis.shown = (() => {
  const PARTS = ".row > .said > .prompt, .row > .answer, .row > details.fold, .row > .tool";
  const elements = () => [...document.querySelectorAll(PARTS)];

  const kind = (element) => {
    if (element.matches(".prompt")) return "prompt";
    if (element.matches(".answer")) return "answer";
    return element.matches(".tool") ? "tool" : "reasoning";
  };

  const raw = (element, title) => {
    const found = [...element.querySelectorAll(".raw")].find(
      (one) => one.querySelector("h2").textContent === title,
    );
    return found?.querySelector("pre").textContent ?? "";
  };

  const part = (number) => {
    const element = elements()[number];
    switch (kind(element)) {
      case "prompt":
        return ["prompt", element.querySelector("p").textContent];
      case "reasoning":
        return ["reasoning", element.querySelector(".fold-body").textContent];
      case "tool": {
        const name = element.querySelector(".tool-name").textContent;
        return ["tool", [name, raw(element, "Called with"), raw(element, "Result")]];
      }
      default:
        return ["answer", element.querySelector(".prose").textContent];
    }
  };

  // Colours of code are put on later, and buttons say what they did.
  const plain = (element) => {
    const copy = element.cloneNode(true);
    for (const one of copy.querySelectorAll("pre > code")) one.textContent = one.textContent;
    for (const one of copy.querySelectorAll("button")) one.remove();
    // Diagrams are pictures of what is compared: their source.
    for (const one of copy.querySelectorAll(".diagram > :not(figcaption, details)")) one.remove();
    for (const one of copy.querySelectorAll(".diagram details")) one.removeAttribute("open");
    copy.normalize();
    return copy;
  };

  const difference = (number, text) => {
    const found = plain(elements()[number].querySelector(".prose"));
    const wanted = plain(reference.drawn(text));
    return found.isEqualNode(wanted) ? "" : `${found.outerHTML} instead of ${wanted.outerHTML}`;
  };

  const copied = async (number) => {
    await navigator.clipboard.writeText("nothing was copied");
    const before = await navigator.clipboard.readText();
    elements()[number].querySelector(".answer-tools button").click();
    for (let tries = 0; tries < 100; tries += 1) {
      const found = await navigator.clipboard.readText();
      if (found !== before) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return before;
  };

  return { elements, kinds: () => elements().map(kind), part, difference, copied };
})();
