/** Times, durations and numbers as people read them. Pure; all times in epoch seconds. */

/** `0.42 s`, `12.3 s`, `4 min 5 s`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const all = Math.max(0, seconds);
  if (all < 0.0005) return "0 s";
  if (all < 1) return `${all.toPrecision(2)} s`;
  if (all < 60) return `${all.toFixed(1)} s`;
  const whole = Math.round(all);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

/** An age that counts up: whole seconds, so that it does not flicker. */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const all = Math.max(0, Math.floor(seconds));
  return all < 60 ? `${all} s` : duration(all);
}

const two = (value: number) => String(value).padStart(2, "0");

/** `14:03:22`, in the reader's time zone; with `parts`, `14:03:22.104`. */
export function clock(at: number, withParts = false): string {
  const time = new Date(at * 1_000);
  const text = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return withParts ? `${text}.${String(time.getMilliseconds()).padStart(3, "0")}` : text;
}

/** `2026-11-27`, in the reader's time zone. */
export function day(at: number): string {
  const time = new Date(at * 1_000);
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** The clock if it is today, else day and clock. */
export function moment(at: number, now: number): string {
  return day(at) === day(now) ? clock(at) : `${day(at)} ${clock(at)}`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** A rate; small ones with a digit behind the point. */
export function rate(value: number): string {
  return value < 10 ? value.toFixed(1) : count(value);
}

/** The first and the last part of an id that is too long to be read. */
export function short(id: string, most = 22): string {
  return id.length <= most ? id : `${id.slice(0, most - 9)}…${id.slice(-8)}`;
}
