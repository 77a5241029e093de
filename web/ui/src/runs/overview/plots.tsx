import { useMemo } from "react";
import type { RunStatsReport } from "../../client/api.generated";
import { clock, count, day, duration } from "../parts/formats";
import { Plot } from "../parts/plot";
import { WORDS } from "../words";
import { live, outcomes, usage, waits } from "./series";

/** The plots of a window of time. */
export function Plots({ stats }: { readonly stats: RunStatsReport }) {
  const { plots } = WORDS;
  const xs = useMemo(() => stats.buckets.map((one) => one.at), [stats]);
  const formatX = stats.window === "hour" ? clock : (at: number) => `${day(at)} ${clock(at)}`;
  const shown = useMemo(
    () => ({
      outcomes: outcomes(stats),
      wait: waits(stats, "wait"),
      firstToken: waits(stats, "first_token"),
      live: live(stats),
      tokens: usage(stats, "tokens"),
      cost: usage(stats, "cost"),
    }),
    [stats],
  );
  const timed = { xs, formatX };
  return (
    <div className="plots">
      <Plot {...timed} title={plots.outcomes} series={shown.outcomes} format={count} isStacked />
      <Plot {...timed} title={plots.live} series={shown.live} format={count} isStacked />
      <Plot {...timed} title={plots.wait} series={shown.wait} format={duration} />
      <Plot {...timed} title={plots.firstToken} series={shown.firstToken} format={duration} />
      <Days title={plots.tokens} of={shown.tokens} format={count} />
      <Days title={plots.cost} of={shown.cost} format={dollars} />
    </div>
  );
}

interface DaysProps {
  readonly title: string;
  readonly of: ReturnType<typeof usage>;
  readonly format: (value: number) => string;
}

function Days({ title, of, format }: DaysProps) {
  const xs = useMemo(() => of.days.map((_, index) => index), [of]);
  return (
    <Plot
      title={title}
      xs={xs}
      series={of.series}
      format={format}
      formatX={(index) => of.days[index] ?? ""}
      isStacked
      isByName
    />
  );
}

function dollars(value: number): string {
  return `$${value < 10 ? value.toFixed(3) : value.toFixed(2)}`;
}
