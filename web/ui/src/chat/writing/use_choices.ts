/** Model, profile and instructions of a session, as its reader has chosen them; kept on this device. */
import { useState } from "react";
import type { Choices } from "../../client";
import { readJson, write } from "../storage";

const keyOf = (owner: string, sessionId: string) => `holdfast.choices.${owner}.${sessionId}`;

/** The choices, and how to change some of them; an empty text takes one back. */
export function useChoices(
  owner: string,
  sessionId: string,
  isNew: boolean,
): [Choices, (changes: Choices) => void] {
  const key = keyOf(owner, isNew ? "new" : sessionId);
  const [chosen, setChosen] = useState(() => ({ key, value: read(key) }));
  const value = chosen.key === key ? chosen.value : read(key);
  const set = (changes: Choices) => {
    const merged = { ...value, ...changes };
    const kept = Object.fromEntries(Object.entries(merged).filter(([, text]) => text !== ""));
    write(key, Object.keys(kept).length ? JSON.stringify(kept) : "");
    setChosen({ key, value: kept });
  };
  return [value, set];
}

/** The choices of the new chat are those of this session from now on. */
export function keepChoices(owner: string, sessionId: string, choices: Choices): void {
  const { profile: _profile, ...kept } = choices;
  if (Object.keys(kept).length) write(keyOf(owner, sessionId), JSON.stringify(kept));
  write(keyOf(owner, "new"), "");
}

function read(key: string): Choices {
  const found = readJson(key);
  if (typeof found !== "object" || found === null) return {};
  const texts = Object.entries(found).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts);
}
