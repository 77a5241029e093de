/** What the server knows of a session beside its messages, and the profiles that may answer in it. */
import type { SessionView } from "../client";
import type { ProfileEntry, SessionInfo } from "../client/api.generated";
import { readProfiles, readSession } from "./chat_api";
import { useAsked } from "./use_asked";

interface Known {
  readonly info: SessionInfo | undefined;
  readonly profiles: readonly ProfileEntry[];
}

const NONE: readonly ProfileEntry[] = [];

/** Read when the session is opened, after each of its runs, and with each new number `readings`. */
export function useSession(
  view: SessionView,
  isNew: boolean,
  isLive: boolean,
  readings: number,
): Known {
  const { sessionId, liveRun } = view;
  const isKnown = isLive && !isNew && view.state === "live" && view.total > 0;
  const key = isKnown ? `${sessionId} ${liveRun ?? ""} ${readings}` : undefined;
  const found = useAsked(key, () => readSession(sessionId));
  const profiles = useAsked(isLive ? "profiles" : undefined, readProfiles);
  return { info: found?.id === sessionId ? found : undefined, profiles: profiles ?? NONE };
}
