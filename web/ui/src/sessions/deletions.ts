/**
 * Sessions that are to be deleted, and can be taken back for a few seconds.
 *
 * Problem: the tab may be closed, crash or be offline before a session is deleted at the server.
 * Idea: the wish is kept in the browser until the server has carried it out. Each tab shows it, each
 * can take it back, and the first one that is there when its time has come carries it out.
 */
import { readJson, write } from "../chat/storage";
import { oneAtATime } from "../tabs/one_at_a_time";
import { deleteSessions, Refused } from "./sessions_api";

export interface Wish {
  readonly id: string;
  readonly name: string;
  /** When it was wished, in milliseconds of this computer; 0: it cannot be taken back any longer. */
  readonly since: number;
}

interface Options {
  readonly owner: string;
  readonly onChange: () => void;
  /** These sessions are gone. */
  readonly onDeleted: (ids: readonly string[]) => void;
  /** It is kept: the server says why. */
  readonly onRefused: (wish: Wish, why: string) => void;
}

export const UNDO_WITHIN = 6_000; // milliseconds
const AGAIN = 5_000; // milliseconds after a deletion that did not reach the server

export class Deletions {
  private wishes: readonly Wish[];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: Options) {
    this.wishes = this.kept();
  }

  get value(): readonly Wish[] {
    return this.wishes;
  }

  add(id: string, name: string): void {
    const others = this.kept().filter((one) => one.id !== id);
    this.keep([...others, { id, name, since: Date.now() }]);
    this.plan();
  }

  undo(id: string): void {
    this.keep(this.kept().filter((one) => one.id !== id));
  }

  /** Carry out what was wished before, and what becomes due. */
  start(): void {
    this.plan();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** The page is being closed: carry out all, as far as there is time for it. */
  hurry(): void {
    const all = this.kept();
    if (!all.length) return;
    this.keep(all.map((one) => ({ ...one, since: 0 })));
    void this.send(all).catch(() => undefined);
  }

  /** Another tab has changed what is kept. */
  reload(): void {
    const before = this.wishes;
    this.wishes = this.kept();
    const isKept = (wish: Wish) => this.wishes.some((one) => one.id === wish.id);
    const done = before.filter((one) => isDue(one) && !isKept(one)).map((one) => one.id);
    if (done.length) this.options.onDeleted(done);
    this.options.onChange();
    this.plan();
  }

  private plan(): void {
    clearTimeout(this.timer);
    if (!this.wishes.length) return;
    const now = Date.now();
    const next = Math.min(
      ...this.wishes.map((one) => (isDue(one) ? 0 : one.since + UNDO_WITHIN - now)),
    );
    this.timer = setTimeout(() => void this.carryOut(), next);
  }

  private async carryOut(): Promise<void> {
    try {
      await oneAtATime("deletions", () => this.send(this.kept().filter(isDue)));
      this.wishes = this.kept();
      this.plan();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.timer = setTimeout(() => void this.carryOut(), AGAIN);
    }
    this.options.onChange();
  }

  private async send(due: readonly Wish[]): Promise<void> {
    if (!due.length) return;
    const refused = await deleteSessions(due.map((one) => one.id));
    const isSent = (wish: Wish) => due.some((one) => one.id === wish.id);
    this.keep(this.kept().filter((one) => !isSent(one)));
    this.options.onDeleted(due.filter((one) => !refused.has(one.id)).map((one) => one.id));
    for (const wish of due) {
      const why = refused.get(wish.id);
      if (why !== undefined) this.options.onRefused(wish, why);
    }
  }

  private kept(): readonly Wish[] {
    const found = readJson(this.key);
    return Array.isArray(found) ? found.filter(isWish) : [];
  }

  private keep(wishes: readonly Wish[]): void {
    this.wishes = wishes;
    write(this.key, wishes.length ? JSON.stringify(wishes) : "");
    this.options.onChange();
  }

  get key(): string {
    return `holdfast.deleting.${this.options.owner}`;
  }
}

/** Whether it can no longer be taken back. A wish of the future is due: the clock was changed. */
export function isDue(wish: Wish): boolean {
  const age = Date.now() - wish.since;
  return age < 0 || age >= UNDO_WITHIN;
}

function isWish(given: unknown): given is Wish {
  const { id, name, since } = (given ?? {}) as Partial<Record<keyof Wish, unknown>>;
  return typeof id === "string" && typeof name === "string" && typeof since === "number";
}
