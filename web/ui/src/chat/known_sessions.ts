/** The sessions that this browser has opened, newest first; every tab has the same list. */
import { readJson, write } from "./storage";

export interface KnownSession {
  readonly id: string;
  readonly title: string;
  /** When something was sent in it, in milliseconds. */
  readonly at: number;
}

const MOST = 200;
const TITLE = 80;

const keyOf = (owner: string) => `holdfast.sessions.${owner}`;

export function readKnown(owner: string): readonly KnownSession[] {
  const found = readJson(keyOf(owner));
  return Array.isArray(found) ? found.filter(isKnown) : [];
}

/** Put a session first, or give it a title; the list that follows. */
export function remember(owner: string, session: KnownSession): readonly KnownSession[] {
  const others = readKnown(owner).filter((one) => one.id !== session.id);
  const title = Array.from(session.title.replace(/\s+/g, " ").trim()).slice(0, TITLE).join("");
  const all = [{ ...session, title }, ...others].sort((one, other) => other.at - one.at);
  return written(owner, all.slice(0, MOST));
}

export function forget(owner: string, id: string): readonly KnownSession[] {
  return written(
    owner,
    readKnown(owner).filter((one) => one.id !== id),
  );
}

/** Whether a change of the storage is one of this list. */
export function isKnownKey(owner: string, key: string | null): boolean {
  return key === keyOf(owner);
}

function written(owner: string, sessions: readonly KnownSession[]): readonly KnownSession[] {
  write(keyOf(owner), JSON.stringify(sessions));
  return sessions;
}

function isKnown(value: unknown): value is KnownSession {
  const one = value as Partial<KnownSession> | null;
  return typeof one?.id === "string" && typeof one.title === "string" && typeof one.at === "number";
}
