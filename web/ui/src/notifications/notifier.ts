/**
 * Notifications when an answer is done or a question waits, and no tab of this browser is in sight.
 *
 * Problem: several tabs see the same end of a run. Idea: the first one that writes it down, alone,
 * shows it; it asks the others before whether one of them is in sight.
 */
import { readJson, write } from "../chat/storage";
import type { SessionView } from "../client";
import { preference } from "../settings/preferences";
import { Channel } from "../tabs/channel";
import { oneAtATime } from "../tabs/one_at_a_time";
import { happenings, type Happening } from "./happenings";
import { permission } from "./permission";
import { words } from "./words";

const TOLD = "holdfast.told"; // keys of what was shown, the newest last
const TOLD_MOST = 100;
const ANSWER_WITHIN = 200; // milliseconds

export class Notifier {
  private views = new Map<string, SessionView>();
  /** When a tab last said that it is in sight, in milliseconds of `performance`. */
  private seenAt = -Infinity;
  private readonly channel: Channel<"who" | "me">;

  constructor(private readonly onOpen: (sessionId: string) => void) {
    this.channel = new Channel("in-sight", (message) => {
      if (message === "me") this.seenAt = performance.now();
      else if (document.visibilityState === "visible") this.channel.tell("me");
    });
  }

  stop(): void {
    this.channel.close();
  }

  /** Take the sessions as they are now. */
  look(views: readonly SessionView[]): void {
    const before = this.views;
    this.views = new Map(views.map((one) => [one.sessionId, one]));
    if (document.visibilityState === "visible") return;
    if (preference("notifications") === "off" || permission() !== "granted") return;
    for (const view of views) {
      const known = before.get(view.sessionId);
      if (!known || known === view) continue;
      for (const one of happenings(known, view)) void this.tell(one);
    }
  }

  private async tell(happening: Happening): Promise<void> {
    const asked = performance.now();
    this.channel.tell("who");
    await new Promise((done) => setTimeout(done, ANSWER_WITHIN));
    if (this.seenAt >= asked) return;
    const isFirst = await oneAtATime("told", () => Promise.resolve(writeDown(happening.key)));
    if (isFirst) this.show(happening);
  }

  private show({ kind, title, text, key, sessionId }: Happening): void {
    const what = title === undefined ? words()[kind] : words().of(words()[kind], title);
    try {
      const shown = new Notification(what, { body: text, tag: key, icon: "/icon-192.png" });
      shown.onclick = () => {
        window.focus();
        this.onOpen(sessionId);
        shown.close();
      };
    } catch {
      // Some phones have the name and refuse to make one; they freeze hidden tabs anyway.
    }
  }
}

/** Whether nobody had written it down. */
function writeDown(key: string): boolean {
  const found = readJson(TOLD);
  const told: unknown[] = Array.isArray(found) ? found : [];
  if (told.includes(key)) return false;
  write(TOLD, JSON.stringify([...told, key].slice(-TOLD_MOST)));
  return true;
}
