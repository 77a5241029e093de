/** The sessions at the side: a page of them or of what a search finds, and what is done to them. */
import type { ListedSession, SessionChangesBody } from "../client/api.generated";
import { changeSession, deleteSession, listSessions, Refused } from "./sessions_api";

export interface Listing {
  readonly search: string;
  readonly sessions: readonly ListedSession[];
  /** `loading`: nothing has come yet. */
  readonly state: "loading" | "ready" | "failed";
  readonly hasMore: boolean;
  /** Why something did not work. */
  readonly failure?: string;
  /** What is deleted in a few seconds, unless that is taken back. */
  readonly leaving?: ListedSession;
}

const SOON = 400; // milliseconds: several changes cause one reading
const UNDO_WITHIN = 6_000;

export class SessionListStore {
  private listing: Listing = { search: "", sessions: [], state: "loading", hasMore: false };
  private cursor: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private leavingTimer: ReturnType<typeof setTimeout> | undefined;
  private readings = 0;

  constructor(private readonly onChange: () => void) {}

  get value(): Listing {
    return this.listing;
  }

  /** Read the list soon. */
  refresh(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.read(), SOON);
  }

  search(text: string): void {
    this.set({ search: text });
    this.refresh();
  }

  async more(): Promise<void> {
    if (this.cursor === undefined) return;
    const reading = (this.readings += 1);
    await this.trying(async () => {
      const page = await listSessions(this.listing.search, this.cursor);
      if (reading !== this.readings) return;
      this.cursor = page.next_cursor ?? undefined;
      this.set({ sessions: [...this.listing.sessions, ...page.data], hasMore: page.has_more });
    });
  }

  async change(id: string, changes: SessionChangesBody): Promise<void> {
    await this.trying(async () => {
      await changeSession(id, changes);
      await this.read();
    });
  }

  /** Delete it in six seconds. */
  remove(session: ListedSession): void {
    this.removeNow();
    this.set({ leaving: session });
    this.leavingTimer = setTimeout(() => this.removeNow(), UNDO_WITHIN);
  }

  keep(): void {
    clearTimeout(this.leavingTimer);
    this.withoutLeaving();
  }

  /** What is to be deleted is deleted now: the page is being closed. */
  removeNow(): void {
    clearTimeout(this.leavingTimer);
    const { leaving } = this.listing;
    if (!leaving) return;
    const others = this.listing.sessions.filter((one) => one.id !== leaving.id);
    this.withoutLeaving();
    this.set({ sessions: others });
    void this.trying(() => deleteSession(leaving.id));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.removeNow();
  }

  private async read(): Promise<void> {
    const reading = (this.readings += 1);
    await this.trying(async () => {
      const page = await listSessions(this.listing.search);
      if (reading !== this.readings) return; // a later one is on its way
      this.cursor = page.next_cursor ?? undefined;
      this.set({ sessions: page.data, hasMore: page.has_more, state: "ready" });
    });
  }

  private async trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      const { failure: _failure, ...rest } = this.listing;
      this.listing = rest;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const state = this.listing.state === "loading" ? "failed" : this.listing.state;
      this.set({ failure: error.message, state });
    }
    this.onChange();
  }

  private withoutLeaving(): void {
    const { leaving: _leaving, ...rest } = this.listing;
    this.listing = rest;
    this.onChange();
  }

  private set(changes: Partial<Listing>): void {
    this.listing = { ...this.listing, ...changes };
    this.onChange();
  }
}
