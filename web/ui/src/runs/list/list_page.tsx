import {
  useCallback,
  useEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
  type RefObject,
} from "react";
import { useNow } from "../../chat/use_now";
import type { RunPage as Page } from "../../client/api.generated";
import { Freshness, Pending } from "../parts/freshness";
import { countRuns, listRuns } from "../parts/runs_api";
import { useGo, type Place } from "../parts/use_place";
import { usePolled } from "../parts/use_polled";
import { WORDS } from "../words";
import { FilterBar } from "./filter_bar";
import {
  addressOf,
  filtersOf,
  isFiltered,
  nextRows,
  sinceOf,
  type Filters,
  type Shown,
} from "./filters";
import { RunTable } from "./run_table";

const LIST_EVERY = 2_000;
const COUNTS_EVERY = 5_000;
const ROWS = 50;

/** The list of runs, which is live as long as it shows the newest. */
export function ListPage({
  place,
  isOperator,
}: {
  readonly place: Place;
  readonly isOperator: boolean;
}) {
  const query = place.query.toString();
  const filters = useMemo(() => filtersOf(new URLSearchParams(query)), [query]);
  const askCounts = useCallback(
    (signal: AbortSignal) => {
      const { status, owner, profile } = filters;
      return countRuns(
        {
          status,
          owner,
          profile,
          since: sinceOf({ ...filters, status: undefined }, Date.now() / 1_000),
        },
        signal,
      );
    },
    [filters],
  );
  const counts = usePolled(askCounts, COUNTS_EVERY);
  const lastCounts = useLast(counts.value);

  useEffect(() => {
    document.title = `${WORDS.title} · Holdfast`;
  }, []);

  return (
    <>
      <FilterBar filters={filters} counts={counts.value ?? lastCounts} isOperator={isOperator} />
      <List key={query} filters={filters} isOperator={isOperator} />
    </>
  );
}

function List({
  filters,
  isOperator,
}: {
  readonly filters: Filters;
  readonly isOperator: boolean;
}) {
  const follow = useGo();
  const isLive = filters.cursor === undefined;
  const ask = useCallback(
    (signal: AbortSignal) => {
      const { period: _period, ...given } = filters;
      return listRuns(
        { ...given, since: sinceOf(filters, Date.now() / 1_000), limit: ROWS },
        signal,
      );
    },
    [filters],
  );
  const polled = usePolled(ask, isLive ? LIST_EVERY : undefined);
  const place = useRef<HTMLDivElement>(null);
  const { shown, showAll } = useRows(polled.value, place);
  const now = useNow(1_000) / 1_000 + polled.ahead;

  return (
    <section className="run-list" ref={place} aria-label={WORDS.title}>
      <div className="list-head">
        {isLive ? <Freshness of={polled} /> : <p className="muted">{WORDS.olderPage}</p>}
        {shown !== undefined && shown.held > 0 && (
          <button type="button" className="button" onClick={showAll}>
            {WORDS.held(shown.held)}
          </button>
        )}
        <span className="muted keys">{WORDS.keys}</span>
      </div>
      {!shown && <Pending of={polled} />}
      {shown && !shown.runs.length && (
        <p className="empty">{isFiltered(filters) ? WORDS.emptyFiltered : WORDS.emptyAll}</p>
      )}
      {shown && shown.runs.length > 0 && (
        <RunTable runs={shown.runs} gone={shown.gone} now={now} isOperator={isOperator} />
      )}
      <p className="pages">
        {!isLive && (
          <a className="button" href={addressOf(filters)} onClick={follow}>
            {WORDS.newest}
          </a>
        )}
        {polled.value?.next_cursor != null && (
          <a
            className="button"
            href={addressOf(filters, { cursor: polled.value.next_cursor })}
            onClick={follow}
          >
            {WORDS.older}
          </a>
        )}
      </p>
    </section>
  );
}

/** The rows, which keep their places while somebody has scrolled down or is among them. */
function useRows(page: Page | undefined, place: RefObject<HTMLElement | null>) {
  const [state, take] = useReducer(
    (before: { page?: Page; shown?: Shown }, next: { page: Page; isHeld: boolean }) => ({
      page: next.page,
      shown: nextRows(before.shown, next.page.data, next.isHeld),
    }),
    {},
  );
  useEffect(() => {
    if (page) take({ page, isHeld: isInUse(place.current) });
  }, [page, place]);
  const showAll = () => {
    if (!page) return;
    take({ page, isHeld: false });
    place.current?.closest(".runs-main")?.scrollTo({ top: 0 });
  };
  return { shown: state.shown, showAll };
}

function isInUse(place: HTMLElement | null): boolean {
  const body = place?.querySelector("tbody");
  const scrolled = place?.closest(".runs-main")?.scrollTop ?? 0;
  return scrolled > 0 || (body?.contains(document.activeElement) ?? false);
}

/** The last value that was there: counts stay while those of other filters are read. */
function useLast<T>(value: T | undefined): T | undefined {
  const [last, setLast] = useState(value);
  useEffect(() => {
    if (value !== undefined) setLast(value);
  }, [value]);
  return last;
}
