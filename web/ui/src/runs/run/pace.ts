/** How an answer came: characters per second, and the pauses between its pieces. Pure. */
import type { LogEntry } from "../../client/api.generated";

export interface Pace {
  /** Seconds since the first piece, one value of each for every second. */
  readonly seconds: readonly number[];
  readonly characters: readonly number[];
  /** The longest pause that ended in that second, in seconds. */
  readonly gaps: readonly number[];
}

const MOST = 600; // points

export function paceOf(entries: readonly LogEntry[]): Pace {
  const pieces = entries.filter((one) => one.characters !== null && one.at !== null);
  const first = pieces[0]?.at;
  const last = pieces.at(-1)?.at;
  if (first == null || last == null) return { seconds: [], characters: [], gaps: [] };
  const width = Math.max(1, Math.ceil((last - first) / MOST));
  const count = Math.max(1, Math.floor((last - first) / width) + 1);
  const characters = new Array<number>(count).fill(0);
  const gaps = new Array<number>(count).fill(0);
  let before = first;
  for (const piece of pieces) {
    const at = Math.max(first, piece.at ?? first);
    const index = Math.min(count - 1, Math.floor((at - first) / width));
    characters[index] = (characters[index] ?? 0) + (piece.characters ?? 0) / width;
    gaps[index] = Math.max(gaps[index] ?? 0, at - before);
    before = at;
  }
  return { seconds: characters.map((_, index) => index * width), characters, gaps };
}
