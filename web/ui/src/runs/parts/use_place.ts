import { useCallback, useSyncExternalStore, type MouseEvent } from "react";

/** Where the page is: path and query of the address. */
export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const MOVED = "holdfast:moved";

/** The place, kept in step with the address bar and its history. */
export function usePlace(): Place {
  const href = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [path = "", query = ""] = href.split("?");
  return { path, query: new URLSearchParams(query) };
}

/** Go to an address of this room. `replace`: without a new entry in the history. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  window.dispatchEvent(new Event(MOVED));
}

/** For a link to this room: goes there without loading the page again. */
export function useGo(): (event: MouseEvent<HTMLAnchorElement>) => void {
  return useCallback((event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    go(event.currentTarget.getAttribute("href") ?? "/runs");
  }, []);
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("popstate", changed);
  window.addEventListener(MOVED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(MOVED, changed);
  };
}
