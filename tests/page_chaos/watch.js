// In every page from its start: looks at each change of what is shown, and complains on the console.
globalThis.watch = (() => {
  const complained = new Set();
  const complain = (text) => {
    if (complained.has(text)) return;
    complained.add(text);
    console.error(`watch: ${text}`);
  };
  const textOf = (selector) =>
    [...document.querySelectorAll(selector)].map((one) => one.textContent).join("\n");
  const turnsOf = (text, letter) => {
    const turns = new Map();
    for (const [, turn, mark] of text.matchAll(new RegExp(`${letter}(\\d+)x(\\d+)e`, "g")))
      turns.set(turn, [...(turns.get(turn) ?? []), Number(mark)]);
    return turns;
  };
  const most = new Map();

  // Only what is in sight is in the document: marks may begin with any, but must follow each other.
  // While a run is live, the line that says so is the last one: what is newest is in sight.
  const checkMarks = (letter, selector) => {
    const turns = turnsOf(textOf(selector), letter);
    for (const [turn, marks] of turns) {
      const at = marks.findIndex((mark, index) => index > 0 && mark !== marks[index - 1] + 1);
      if (at > 0) complain(`turn ${turn}: ${letter}${marks[at]} after ${letter}${marks[at - 1]}`);
    }
    const [turn, marks] = [...turns].at(-1) ?? [];
    if (turn === undefined || document.querySelector(".working") === null) return;
    const before = most.get(letter + turn) ?? 0;
    if (marks.at(-1) < before)
      complain(`turn ${turn}: shows ${letter}${marks.at(-1)} after it had shown ${letter}${before}`);
    most.set(letter + turn, Math.max(before, marks.at(-1)));
  };

  const checkPrompts = () => {
    const prompts = [...document.querySelectorAll(".prompt > p:first-child")].map(
      (one) => one.textContent,
    );
    const double = prompts.find((text, index) => prompts.indexOf(text) !== index);
    if (double !== undefined) complain(`shown twice: ${double.slice(0, 40)}`);
  };

  const check = () => {
    checkMarks("m", ".answer .prose");
    checkMarks("q", ".row > details.fold:not(.tool) .fold-body");
    checkPrompts();
  };
  new MutationObserver(check).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
  });

  const state = () => ({
    connection: document.querySelector(".connection")?.textContent ?? "",
    isWorking: document.querySelector(".working") !== null,
    isSending: document.querySelector(".sending, .refused") !== null,
    isThere: document.querySelector("#message") !== null,
    waiting: document.querySelectorAll(".queue li").length,
    marks: Object.fromEntries(turnsOf(textOf(".answer .prose"), "m")),
  });
  return { state };
})();
