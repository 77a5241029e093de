// Shown by the service worker when the server cannot be reached: it goes on by itself.
const EVERY = 5000; // milliseconds

function language() {
  let chosen = null;
  try {
    chosen = localStorage.getItem("holdfast.language");
  } catch {
    // no storage: the browser's language
  }
  if (chosen === "en" || chosen === "de") return chosen;
  const known = navigator.languages.map((one) => one.slice(0, 2).toLowerCase());
  return known.find((one) => one === "en" || one === "de") ?? "en";
}

async function tryAgain() {
  try {
    const answer = await fetch("/page/info", { cache: "no-store" });
    if (answer.ok) location.reload();
  } catch {
    // still out of reach
  }
}

document.documentElement.lang = language();
for (const section of document.querySelectorAll("section")) {
  section.hidden = section.lang !== language();
  section.querySelector("button").addEventListener("click", () => location.reload());
}
window.addEventListener("online", tryAgain);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") tryAgain();
});
setInterval(tryAgain, EVERY);
