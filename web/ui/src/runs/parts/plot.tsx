import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { WORDS } from "../words";
import { readColors, useTheme } from "./use_theme";

export interface Series {
  readonly name: string;
  /** The name of a CSS variable. */
  readonly color: string;
  /** One value per x; null: none. */
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  readonly xs: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly formatX: (x: number) => string;
  /** Bars that stand on each other, in the order of the series; else lines. */
  readonly isStacked?: boolean;
  /** Days and the like: one bar per x, named by `formatX`. */
  readonly isByName?: boolean;
}

const HEIGHT = 180;

/** A plot with its values at the pointer, and the same values as a table. */
export function Plot(props: Props) {
  const { title, xs, series, format, formatX } = props;
  const [at, setAt] = useState<number>();
  const place = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const drawn = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const shape = `${series.map((one) => one.name + one.color).join("|")} ${theme}`;
  const isEmpty = !xs.length || series.every((one) => one.values.every((value) => !value));

  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const plot = new uPlot(optionsOf(latest, box, setAt), dataOf(latest.current), box);
    drawn.current = plot;
    const sizes = new ResizeObserver(() => {
      if (box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: HEIGHT });
    });
    sizes.observe(box);
    return () => {
      sizes.disconnect();
      plot.destroy();
      drawn.current = undefined;
    };
  }, [shape, isEmpty]);

  useEffect(() => {
    drawn.current?.setData(dataOf(latest.current));
  }, [xs, series]);

  const shown = at !== undefined && at < xs.length ? at : undefined;
  return (
    <figure className="plot" aria-label={title}>
      <figcaption>
        <h3>{title}</h3>
        <span className="muted">{shown !== undefined && formatX(xs[shown] ?? 0)}</span>
      </figcaption>
      {isEmpty ? (
        <p className="plot-empty muted">{WORDS.noData}</p>
      ) : (
        <div ref={place} className="plot-place" aria-hidden="true" />
      )}
      {!isEmpty && (
        <ul className="legend">
          {series.map((one) => (
            <li key={one.name}>
              <span
                className="swatch"
                style={{ background: `var(${one.color})` }}
                aria-hidden="true"
              />
              {one.name}
              {shown !== undefined && <strong> {shownValue(one.values[shown], format)}</strong>}
            </li>
          ))}
        </ul>
      )}
      {!isEmpty && <Table {...props} />}
    </figure>
  );
}

function Table({ title, xs, series, format, formatX }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{WORDS.table}</summary>
      {isOpen && (
        <div className="run-scroll" tabIndex={0} role="group" aria-label={title}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{WORDS.tableTime}</th>
                {series.map((one) => (
                  <th key={one.name} scope="col" className="number">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {xs.map((x, index) => (
                <tr key={x}>
                  <th scope="row">{formatX(x)}</th>
                  {series.map((one) => (
                    <td key={one.name} className="number">
                      {shownValue(one.values[index], format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function shownValue(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? WORDS.none : format(value);
}

/** What uPlot draws: of stacked series the sums up to each, the tallest first, so that each shows
 * above the one that is drawn over it. */
function dataOf({ xs, series, isStacked }: Props): uPlot.AlignedData {
  const values = series.map((one) => one.values);
  const sums = isStacked
    ? values.map((_, index) =>
        xs.map((_x, at) =>
          values.slice(0, index + 1).reduce((sum, one) => sum + (one[at] ?? 0), 0),
        ),
      )
    : values.map((one) => [...one]);
  return [[...xs], ...(isStacked ? sums.reverse() : sums)];
}

function optionsOf(
  latest: { readonly current: Props },
  box: HTMLElement,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const { series, isStacked, isByName } = latest.current;
  const { colors, muted, line } = readColors(series.map((one) => one.color));
  const bars = isStacked ? uPlot.paths.bars?.({ size: [0.8, 60], gap: 1 }) : undefined;
  const rows = series.map((one, index): uPlot.Series => {
    const color = colors[index] ?? muted;
    return isStacked
      ? {
          label: one.name,
          fill: color,
          width: 0,
          points: { show: false },
          ...(bars && { paths: bars }),
        }
      : {
          label: one.name,
          stroke: color,
          width: 2,
          points: {
            size: 5,
            fill: color,
            show: true,
            filter: (plot, at) => standingAlone(plot.data[at] ?? []),
          },
          spanGaps: false,
        };
  });
  const axis: uPlot.Axis = {
    stroke: muted,
    font: "12px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(200, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !isStacked } },
    scales: {
      x: {
        time: false,
        ...(isStacked && { range: (_plot, low, high) => barRange(latest.current.xs, low, high) }),
      },
      y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        ...(isByName && { splits: () => [...latest.current.xs] }),
        values: (_plot, splits) => splits.map((x) => shortX(latest.current, x)),
      },
      {
        ...axis,
        size: 64,
        values: (_plot, splits) => {
          const shown = splits.map((y) => latest.current.format(y));
          return shown.map((one, index) => (one === shown[index - 1] ? "" : one));
        },
      },
    ],
    series: [{}, ...(isStacked ? rows.reverse() : rows)],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? undefined)] },
  };
}

/** The places of values without a neighbour, which no line goes through. */
function standingAlone(values: ArrayLike<number | null | undefined>): number[] {
  const has = (index: number) => values[index] !== null && values[index] !== undefined;
  return [...Array(values.length).keys()].filter(
    (index) => has(index) && !has(index - 1) && !has(index + 1),
  );
}

/** Bars at the ends need half a bar more. */
function barRange(xs: readonly number[], low: number, high: number): [number, number] {
  const [first, second] = xs;
  const half = first !== undefined && second !== undefined ? (second - first) / 2 : 1;
  return [low - half, high + half];
}

/** The name of an x without its seconds, for which an axis has no room. */
function shortX({ formatX }: Props, x: number): string {
  return formatX(x)
    .replace(/(\d\d:\d\d):\d\d/, "$1")
    .replace(/^\d{4}-/, "");
}
