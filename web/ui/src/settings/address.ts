/** Whether the settings are open: the address says so, and can be shared. */
import { useSyncExternalStore } from "react";

const NAME = "settings";
const MOVED = "holdfast:moved"; // pushState tells nobody

export function openSettings(): void {
  if (!isOpen()) history.pushState(null, "", addressWith(location.search, true));
  window.dispatchEvent(new Event(MOVED));
}

export function closeSettings(): void {
  if (isOpen()) history.replaceState(null, "", addressWith(location.search, false));
  window.dispatchEvent(new Event(MOVED));
}

export function useSettingsOpen(): boolean {
  return useSyncExternalStore(subscribe, isOpen);
}

/** The address with or without the settings. Pure. */
export function addressWith(search: string, isOpen: boolean): string {
  const others = search
    .slice(1)
    .split("&")
    .filter((part) => part && part !== NAME);
  const parts = isOpen ? [...others, NAME] : others;
  return parts.length ? `?${parts.join("&")}` : location.pathname;
}

function isOpen(): boolean {
  return new URLSearchParams(location.search).has(NAME);
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
}
