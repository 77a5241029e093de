/** What a session is called. */
import type { ListedSession } from "../client/api.generated";
import { words } from "./words";

export function nameOf(session: Pick<ListedSession, "title" | "preview">): string {
  return session.title ?? (session.preview?.trim() || words().untitled);
}
