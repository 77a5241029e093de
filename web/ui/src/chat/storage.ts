/** localStorage, where it is allowed: else what is kept lasts as long as the page. */
import { MemoryStore, type Store } from "../client";

function browserStore(): Store {
  try {
    localStorage.setItem("holdfast.probe", "1");
    localStorage.removeItem("holdfast.probe");
    return localStorage;
  } catch {
    return new MemoryStore();
  }
}

export const store: Store = browserStore();

export function readJson(key: string): unknown {
  try {
    return JSON.parse(store.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

export function write(key: string, value: string): void {
  try {
    if (value) store.setItem(key, value);
    else store.removeItem(key);
  } catch {
    // it is full: what is shown stays, and is gone after a reload
  }
}
