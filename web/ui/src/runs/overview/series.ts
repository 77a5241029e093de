/** What the plots of the overview show. Pure. */
import type { RunStatsReport, StatusCounts } from "../../client/api.generated";
import type { Series } from "../parts/plot";
import { STATUS, WORDS } from "../words";

const PLOT_COLORS = 6; // --plot-1 …

const OUTCOMES: readonly (readonly [keyof StatusCounts, string])[] = [
  ["completed", "--plot-1"],
  ["cancelled", "--plot-quiet"],
  ["failed", "--plot-bad"],
  ["interrupted", "--plot-bad-2"],
  ["running", "--plot-2"],
  ["stopping", "--plot-4"],
  ["queued", "--plot-3"],
];

export function outcomes(stats: RunStatsReport): Series[] {
  return OUTCOMES.map(([name, color]) => ({
    name: STATUS[name],
    color,
    values: stats.buckets.map((one) => one.outcomes[name]),
  })).filter((one) => one.values.some((value) => value > 0));
}

export function waits(stats: RunStatsReport, of: "wait" | "first_token"): Series[] {
  return [
    { name: WORDS.p50, color: "--plot-1", values: stats.buckets.map((one) => one[of].p50) },
    { name: WORDS.p95, color: "--plot-3", values: stats.buckets.map((one) => one[of].p95) },
  ];
}

export function live(stats: RunStatsReport): Series[] {
  return stats.profiles.map((profile, index) => ({
    name: profile ?? WORDS.otherProfiles,
    color: colorOf(index),
    values: stats.buckets.map((one) => one.live[index] ?? 0),
  }));
}

/** Days and models: `days` are `YYYY-MM-DD`. */
export function usage(
  stats: RunStatsReport,
  of: "tokens" | "cost",
): { days: string[]; series: Series[] } {
  const days = [...new Set(stats.usage.map((one) => one.day))].sort();
  const totals = new Map<string | null, number[]>();
  for (const one of stats.usage) {
    const values = totals.get(one.model) ?? days.map(() => 0);
    const at = days.indexOf(one.day);
    values[at] =
      (values[at] ?? 0) +
      (of === "tokens"
        ? one.input_tokens + one.output_tokens
        : (one.actual_cost_usd ?? one.estimated_cost_usd ?? 0));
    totals.set(one.model, values);
  }
  const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
  const largest = [...totals].sort(([, a], [, b]) => sum(b) - sum(a));
  return {
    days,
    series: largest.slice(0, PLOT_COLORS).map(([model, values], index) => ({
      name: model ?? WORDS.noModel,
      color: colorOf(index),
      values,
    })),
  };
}

function colorOf(index: number): string {
  return `--plot-${(index % PLOT_COLORS) + 1}`;
}
