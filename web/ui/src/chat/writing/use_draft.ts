/** What is being written in each session; it survives a reload. */
import { useState } from "react";
import { store, write } from "../storage";

const keyOf = (owner: string, sessionId: string) => `holdfast.draft.${owner}.${sessionId}`;

/** The draft of a session that does not exist yet is the one of new chats. */
export function useDraft(
  owner: string,
  sessionId: string,
  isNew: boolean,
): [string, (text: string) => void] {
  const key = keyOf(owner, isNew ? "new" : sessionId);
  const [draft, setDraft] = useState(() => ({ key, text: read(key) }));
  const text = draft.key === key ? draft.text : read(key);
  const set = (changed: string) => {
    write(key, changed);
    setDraft({ key, text: changed });
  };
  return [text, set];
}

function read(key: string): string {
  try {
    return store.getItem(key) ?? "";
  } catch {
    return "";
  }
}
