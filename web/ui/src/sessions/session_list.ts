/** The sessions at the side: pages of them or of what a search finds, and what is done to them. */
import type { ListedSession, SessionChangesBody } from "../client/api.generated";
import { Channel } from "../tabs/channel";
import { Deletions, type Wish } from "./deletions";
import { merged } from "./pages";
import { ReadMarks } from "./read_marks";
import { changeSession, liveSessions, listSessions, Refused, type Shown } from "./sessions_api";
import { nameOf } from "./title";
import { words } from "./words";

export interface Listing {
  readonly search: string;
  readonly shown: Shown;
  readonly sessions: readonly ListedSession[];
  /** `loading`: nothing has come yet. */
  readonly state: "loading" | "ready" | "failed";
  /** What is listed is not yet what was asked for. */
  readonly isBehind: boolean;
  /** On all pages. */
  readonly total: number;
  /** A search looked at all messages. */
  readonly isComplete: boolean;
  readonly hasMore: boolean;
  readonly workspaces: readonly string[];
  /** Sessions in which a run is live, as the server said last. */
  readonly live: readonly string[];
  readonly unread: ReadonlySet<string>;
  /** What is being deleted: it is not listed. */
  readonly leaving: readonly Wish[];
  /** Why something did not work. */
  readonly failure?: string;
}

interface Options {
  readonly owner: string;
  readonly onChange: () => void;
  /** Runs are live in these sessions: take part in them. */
  readonly onLive: (ids: readonly string[]) => void;
}

const SOON = 400; // milliseconds: several changes cause one reading
const LOOK_AGAIN = 60_000; // milliseconds: for what other devices began
const LIVE_MOST = 10;
const WORKSPACES_MOST = 50;

export class SessionListStore {
  private listing: Listing;
  private cursor: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private looking: ReturnType<typeof setInterval> | undefined;
  private readings = 0;
  /** Ends what is being read when nobody looks at the list any longer. */
  private watching = new AbortController();
  private isAdding = false;
  /** The session that is shown beside the list. */
  private current = "";
  /** Sessions that were seen up to their end and left, since the list was read last. */
  private left = new Set<string>();
  private readonly marks: ReadMarks;
  private readonly deletions: Deletions;
  private channel: Channel<"changed"> | undefined;

  constructor(private readonly options: Options) {
    const { owner } = options;
    this.marks = new ReadMarks(owner);
    this.deletions = new Deletions({
      owner,
      onChange: () => this.set({ leaving: this.deletions.value }),
      onDeleted: (ids) => this.forget(ids),
      onRefused: (wish, why) => this.set({ failure: words().refusedDeletion(wish.name, why) }),
    });
    this.listing = { ...EMPTY, leaving: this.deletions.value };
  }

  get value(): Listing {
    return this.listing;
  }

  start(): void {
    this.watching = new AbortController();
    this.channel = new Channel(`sessions.${this.options.owner}`, () => this.refresh());
    this.looking = setInterval(() => this.refresh(), LOOK_AGAIN);
    this.deletions.start();
    this.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
    clearInterval(this.looking);
    this.watching.abort();
    this.deletions.stop();
    this.channel?.close();
  }

  /** Read the list soon. */
  refresh(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.read(), SOON);
  }

  /** Something was done here that other tabs want to know of. */
  changed(): void {
    this.channel?.tell("changed");
    this.refresh();
  }

  /** Another tab has changed what this browser keeps. */
  stored(key: string | null): void {
    if (key === null || key === this.deletions.key) this.deletions.reload();
    if (key !== null && key !== this.marks.key) return;
    this.marks.reload();
    this.set({ unread: this.unread(this.listing.sessions) });
  }

  search(text: string): void {
    this.set({ search: text, isBehind: true });
    this.refresh();
  }

  show(shown: Shown): void {
    this.set({ shown, sessions: [], state: "loading", isBehind: true, hasMore: false });
    void this.read();
  }

  async more(): Promise<void> {
    if (this.cursor === undefined || this.isAdding) return;
    this.isAdding = true;
    const reading = this.readings;
    await this.trying(async () => {
      const page = await listSessions(this.listing.search, this.listing.shown, {
        cursor: this.cursor,
        signal: this.watching.signal,
      });
      if (reading !== this.readings) return;
      this.cursor = page.next_cursor ?? undefined;
      const known = new Set(this.listing.sessions.map((one) => one.id));
      const fresh = page.data.filter((one) => !known.has(one.id));
      this.list([...this.listing.sessions, ...fresh], { hasMore: page.has_more });
    });
    this.isAdding = false;
  }

  async change(id: string, changes: SessionChangesBody): Promise<void> {
    await this.trying(async () => {
      const { session } = await changeSession(id, changes);
      this.list(this.listing.sessions.map((one) => (one.id === id ? { ...one, ...session } : one)));
      this.changed();
    });
  }

  /** Delete it in a few seconds, unless that is taken back. */
  remove(session: ListedSession): void {
    this.deletions.add(session.id, nameOf(session));
  }

  undo(id: string): void {
    this.deletions.undo(id);
  }

  /** The page is being closed. */
  hurry(): void {
    this.deletions.hurry();
  }

  /** This session is shown now, and seen if the tab is. `isAtRest`: the one before had no live run, so
   * that all of it was seen, also what the list does not have yet. */
  see(id: string, isAtRest: boolean): void {
    if (isAtRest && this.current) this.left.add(this.current);
    this.current = id;
    this.set({ unread: this.unread(this.listing.sessions) });
    if (this.left.size) this.refresh();
  }

  private async read(): Promise<void> {
    const reading = (this.readings += 1);
    const { search, shown } = this.listing;
    const { left } = this;
    const { signal } = this.watching;
    this.left = new Set();
    await this.trying(async () => {
      const page = await listSessions(search, shown, { signal });
      for (const one of page.data) if (left.has(one.id)) this.marks.see(one);
      if (reading !== this.readings) return; // a later one is on its way
      const before = this.listing.isBehind ? [] : this.listing.sessions;
      const sessions = merged(before, page.data, page.has_more);
      const isLonger = sessions.length > page.data.length;
      if (!isLonger) this.cursor = page.next_cursor ?? undefined;
      this.marks.begin(page.data);
      this.list(sessions, {
        isBehind: false,
        state: "ready",
        total: page.total,
        isComplete: page.complete,
        hasMore: isLonger ? this.listing.hasMore : page.has_more,
      });
      const live = await liveSessions(this.options.owner, LIVE_MOST, signal);
      if (reading !== this.readings) return;
      this.options.onLive(live);
      this.set({ live });
    });
  }

  private async trying(work: () => Promise<unknown>): Promise<void> {
    const { signal } = this.watching;
    try {
      await work();
      const { failure: _failure, ...rest } = this.listing;
      this.listing = rest;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (signal.aborted) return;
      const state = this.listing.state === "loading" ? "failed" : this.listing.state;
      this.set({ failure: error.message, state, isBehind: false });
    }
    this.options.onChange();
  }

  private list(sessions: readonly ListedSession[], others: Partial<Listing> = {}): void {
    const named = sessions.flatMap((one) => (one.workspace === null ? [] : [one.workspace]));
    const all = new Set([...this.listing.workspaces, ...named]);
    const workspaces = [...all].slice(0, WORKSPACES_MOST).sort();
    this.set({ ...others, sessions, workspaces, unread: this.unread(sessions) });
  }

  private unread(sessions: readonly ListedSession[]): ReadonlySet<string> {
    const shown = sessions.find((one) => one.id === this.current);
    if (shown && document.visibilityState === "visible") this.marks.see(shown);
    const unread = sessions.filter((one) => this.marks.isUnread(one)).map((one) => one.id);
    const { unread: before } = this.listing;
    const isSame = unread.length === before.size && unread.every((id) => before.has(id));
    return isSame ? before : new Set(unread);
  }

  private forget(ids: readonly string[]): void {
    this.set({ sessions: this.listing.sessions.filter((one) => !ids.includes(one.id)) });
  }

  private set(changes: Partial<Listing>): void {
    this.listing = { ...this.listing, ...changes };
    this.options.onChange();
  }
}

const EMPTY: Listing = {
  search: "",
  shown: "active",
  sessions: [],
  state: "loading",
  isBehind: false,
  total: 0,
  isComplete: true,
  hasMore: false,
  workspaces: [],
  live: [],
  unread: new Set(),
  leaving: [],
};
