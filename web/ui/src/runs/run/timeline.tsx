import { useState } from "react";
import type { RunTimeline } from "../../client/api.generated";
import { clock, duration } from "../parts/formats";
import { stepDetails, stepWords, WORDS } from "../words";
import { lanesOf, type Bar, type Lane, type Lanes, type Mark } from "./lanes";

interface Props {
  readonly timeline: RunTimeline;
  /** Epoch seconds, by the server's clock. */
  readonly now: number;
}

/** The timeline, drawn, and below it the same steps as a table. */
export function Timeline({ timeline, now }: Props) {
  const [pointed, setPointed] = useState<string>();
  const drawn = lanesOf(timeline, now);
  return (
    <figure className="timeline" aria-label={WORDS.timelineOf(drawn.lanes.length - 1)}>
      <div className="lanes" aria-hidden="true" onPointerLeave={() => setPointed(undefined)}>
        {drawn.lanes.map((lane) => (
          <LaneRow key={lane.number} lane={lane} all={drawn} onPoint={setPointed} />
        ))}
        <Scale all={drawn} />
      </div>
      <p className="muted pointed" aria-hidden="true">
        {pointed ?? WORDS.pointAt}
      </p>
      {timeline.source === "rows" && timeline.status !== "queued" && (
        <p className="muted">{WORDS.rowsOnly}</p>
      )}
      <details open>
        <summary>{WORDS.steps}</summary>
        <Steps drawn={drawn} leftOut={timeline.left_out} />
      </details>
    </figure>
  );
}

function LaneRow({
  lane,
  all,
  onPoint,
}: {
  lane: Lane;
  all: Lanes;
  onPoint: (text: string) => void;
}) {
  const left = (at: number) => `${share(at, all)}%`;
  return (
    <div className="lane" data-lane={lane.number}>
      <span className="lane-name">
        {lane.number ? WORDS.lane(lane.number, lane.takenOver) : WORDS.queueLane}
      </span>
      <div className="track">
        {lane.bars.map((bar, index) => (
          <span
            key={index}
            className={`bar bar-${bar.kind}${bar.isOpen ? " bar-open" : ""}`}
            style={{ left: left(bar.from), width: `${share(bar.to, all) - share(bar.from, all)}%` }}
            onPointerEnter={() => onPoint(barWords(bar))}
            title={barWords(bar)}
          />
        ))}
        {lane.marks.map((mark, index) => (
          <span
            key={index}
            className={`mark mark-${mark.step.step}`}
            style={{ left: left(mark.at) }}
            onPointerEnter={() => onPoint(markWords(mark, all))}
            title={markWords(mark, all)}
          />
        ))}
      </div>
    </div>
  );
}

function Scale({ all }: { all: Lanes }) {
  return (
    <div className="lane scale">
      <span className="lane-name" />
      <div className="track-scale">
        <span>{clock(all.from)}</span>
        <span>{duration((all.to - all.from) / 2)}</span>
        <span>{duration(all.to - all.from)}</span>
      </div>
    </div>
  );
}

function Steps({ drawn, leftOut }: { drawn: Lanes; leftOut: number }) {
  const { stepColumns: heads } = WORDS;
  return (
    <>
      <div className="run-scroll" tabIndex={0} role="group" aria-label={WORDS.steps}>
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">{heads.step}</th>
              <th scope="col" className="number">
                {heads.at}
              </th>
              <th scope="col" className="number">
                {heads.after}
              </th>
              <th scope="col">{heads.details}</th>
            </tr>
          </thead>
          {drawn.lanes
            .filter((lane) => lane.marks.length)
            .map((lane) => (
              <tbody key={lane.number}>
                <tr>
                  <th scope="rowgroup" colSpan={4} className="lane-head">
                    {lane.number ? WORDS.lane(lane.number, lane.takenOver) : WORDS.queueLane}
                  </th>
                </tr>
                {lane.marks.map((mark, index) => (
                  <tr key={index} data-step={mark.step.step}>
                    <td>{stepWords(mark.step)}</td>
                    <td className="number">
                      {mark.step.at === null ? WORDS.noTime : clock(mark.at, true)}
                    </td>
                    <td className="number">{duration(mark.at - drawn.from)}</td>
                    <td>{stepDetails(mark.step)}</td>
                  </tr>
                ))}
              </tbody>
            ))}
        </table>
      </div>
      {leftOut > 0 && <p className="muted">{WORDS.leftOut(leftOut)}</p>}
    </>
  );
}

function share(at: number, all: Lanes): number {
  return ((at - all.from) / (all.to - all.from)) * 100;
}

function markWords(mark: Mark, all: Lanes): string {
  const when = mark.step.at === null ? WORDS.noTime : clock(mark.at, true);
  const details = stepDetails(mark.step);
  return `${stepWords(mark.step)}${details && `: ${details}`} · ${when} · + ${duration(mark.at - all.from)}`;
}

function barWords(bar: Bar): string {
  const name = bar.name || WORDS.bars[bar.kind];
  return `${name} · ${duration(bar.to - bar.from)} · ${clock(bar.from, true)} – ${clock(bar.to, true)}`;
}
