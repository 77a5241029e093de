/** Which sessions have something new since they were last seen in this browser. */
import type { ListedSession } from "../client/api.generated";
import { readJson, write } from "../chat/storage";

interface Kept {
  /** What is not newer counts as read: the server's time, in seconds. */
  readonly since: number;
  /** Session -> its last activity that was seen. */
  readonly seen: Readonly<Record<string, number>>;
}

const MOST = 300; // sessions; what is older counts as read

export class ReadMarks {
  private kept: Kept | undefined;

  constructor(private readonly owner: string) {
    this.reload();
  }

  get key(): string {
    return `holdfast.read.${this.owner}`;
  }

  /** With the first list of this browser: all that is in it counts as read. */
  begin(sessions: readonly ListedSession[]): void {
    if (this.kept) return;
    this.keep({ since: Math.max(0, ...sessions.map((one) => one.last_active)), seen: {} });
  }

  isUnread(session: ListedSession): boolean {
    if (!this.kept) return false;
    return session.last_active > Math.max(this.kept.since, this.kept.seen[session.id] ?? 0);
  }

  /** A person sees the session; whether that changed anything. */
  see(session: ListedSession): boolean {
    this.reload();
    if (!this.kept || !this.isUnread(session)) return false;
    this.keep(
      bounded({ ...this.kept, seen: { ...this.kept.seen, [session.id]: session.last_active } }),
    );
    return true;
  }

  /** Another tab has changed what is kept. */
  reload(): void {
    const found = readJson(this.key) as Partial<Kept> | null;
    if (typeof found?.since === "number" && typeof found.seen === "object")
      this.kept = { since: found.since, seen: found.seen };
  }

  private keep(kept: Kept): void {
    this.kept = kept;
    write(this.key, JSON.stringify(kept));
  }
}

/** The newest marks only. */
function bounded(kept: Kept): Kept {
  const all = Object.entries(kept.seen);
  if (all.length <= MOST) return kept;
  all.sort(([, one], [, other]) => other - one);
  const [newest, rest] = [all.slice(0, MOST / 2), all.slice(MOST / 2)];
  const since = Math.max(kept.since, ...rest.map(([, at]) => at));
  return { since, seen: Object.fromEntries(newest) };
}
