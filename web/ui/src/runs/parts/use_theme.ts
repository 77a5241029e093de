import { useSyncExternalStore } from "react";

const DARK = "(prefers-color-scheme: dark)";

/** `light` or `dark`, as the page is drawn now. What is drawn on a canvas has to know it. */
export function useTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, read);
}

/** The present values of CSS variables, and those of quiet text and of lines. */
export function readColors(names: readonly string[]): {
  colors: string[];
  muted: string;
  line: string;
} {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return { colors: names.map(value), muted: value("--muted"), line: value("--line") };
}

function read(): "light" | "dark" {
  const set = document.documentElement.dataset["theme"];
  if (set === "light" || set === "dark") return set;
  return matchMedia(DARK).matches ? "dark" : "light";
}

function subscribe(changed: () => void): () => void {
  const system = matchMedia(DARK);
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  system.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", changed);
  };
}
