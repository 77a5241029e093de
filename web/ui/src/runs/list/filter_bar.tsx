import type { RunCountsReport } from "../../client/api.generated";
import { count } from "../parts/formats";
import { go, useGo } from "../parts/use_place";
import { reasonWords, STATUS, WORDS } from "../words";
import { addressOf, isFiltered, PERIODS, STATUSES, type Filters } from "./filters";

interface Props {
  readonly filters: Filters;
  readonly counts: RunCountsReport | undefined;
  readonly isOperator: boolean;
}

/** States with their counts as links; profile, owner, reason and time as menus. */
export function FilterBar({ filters, counts, isOperator }: Props) {
  const follow = useGo();
  const all = counts && STATUSES.reduce((sum, one) => sum + counts.statuses[one], 0);
  return (
    <search className="filters">
      <nav aria-label={WORDS.filterState} className="chips">
        <Chip
          name={WORDS.all}
          number={all}
          isOn={!filters.status}
          to={addressOf(filters, { status: undefined })}
          follow={follow}
        />
        {STATUSES.map((one) => (
          <Chip
            key={one}
            name={STATUS[one]}
            number={counts?.statuses[one]}
            isOn={filters.status === one}
            to={addressOf(filters, { status: one, reason: undefined })}
            follow={follow}
          />
        ))}
      </nav>
      <div className="menus">
        <Menu
          name={WORDS.filterProfile}
          value={filters.profile}
          options={(counts?.profiles ?? []).map((one) => [
            one.key,
            `${one.key} (${count(one.count)})`,
          ])}
          onChoose={(profile) => go(addressOf(filters, { profile }))}
        />
        {isOperator && (
          <Menu
            name={WORDS.filterOwner}
            value={filters.owner}
            options={(counts?.owners ?? []).map((one) => [
              one.key,
              `${one.key} (${count(one.count)})`,
            ])}
            onChoose={(owner) => go(addressOf(filters, { owner }))}
          />
        )}
        <Menu
          name={WORDS.filterReason}
          value={filters.reason}
          options={(counts?.reasons ?? []).map((one) => [
            one.key,
            `${reasonWords(one.key)} (${count(one.count)})`,
          ])}
          onChoose={(reason) => go(addressOf(filters, { reason }))}
        />
        <label className="menu">
          {WORDS.filterPeriod}
          <select
            value={filters.period}
            onChange={(event) =>
              go(
                addressOf(filters, {
                  period: PERIODS.find((one) => one === event.target.value) ?? "day",
                }),
              )
            }
          >
            {PERIODS.map((one) => (
              <option key={one} value={one}>
                {WORDS.periods[one]}
              </option>
            ))}
          </select>
        </label>
        {(["worker", "session"] as const).map(
          (name) =>
            filters[name] && (
              <a
                key={name}
                className="chip chip-on"
                href={addressOf(filters, { [name]: undefined })}
                onClick={follow}
                title={WORDS.remove}
              >
                {WORDS.restricted(WORDS[name], filters[name])} ×
              </a>
            ),
        )}
        {isFiltered(filters) && (
          <a className="clear" href="/runs" onClick={follow}>
            {WORDS.clear}
          </a>
        )}
      </div>
      {counts?.complete === false && <p className="muted">{WORDS.notComplete}</p>}
    </search>
  );
}

interface ChipProps {
  readonly name: string;
  readonly number: number | undefined;
  readonly isOn: boolean;
  readonly to: string;
  readonly follow: ReturnType<typeof useGo>;
}

function Chip({ name, number, isOn, to, follow }: ChipProps) {
  return (
    <a
      className={isOn ? "chip chip-on" : "chip"}
      href={to}
      onClick={follow}
      aria-current={isOn ? "true" : undefined}
    >
      {name} <span className="chip-count">{number === undefined ? "…" : count(number)}</span>
    </a>
  );
}

interface MenuProps {
  readonly name: string;
  readonly value: string | undefined;
  readonly options: readonly (readonly [string, string])[];
  readonly onChoose: (value: string | undefined) => void;
}

function Menu({ name, value, options, onChoose }: MenuProps) {
  const isListed = value === undefined || options.some(([key]) => key === value);
  return (
    <label className="menu">
      {name}
      <select value={value ?? ""} onChange={(event) => onChoose(event.target.value || undefined)}>
        <option value="">{WORDS.any}</option>
        {!isListed && <option value={value}>{value}</option>}
        {options.map(([key, shown]) => (
          <option key={key} value={key}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}
