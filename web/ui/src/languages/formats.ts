/** Numbers, days, times and plurals in the language of the page. */
import { language, locale } from "./language";

/** The form that the number asks for, with `#` replaced by the number. */
export function plural(count: number, forms: { one: string; other: string }): string {
  const form = new Intl.PluralRules(language()).select(count) === "one" ? forms.one : forms.other;
  return form.replace("#", number(count));
}

export function number(value: number, options?: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(locale(), options).format(value);
}

/** A size in bytes, in the unit that fits. */
export function bytes(value: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  return number(value / 1000 ** power, {
    style: "unit",
    unit: units[power] ?? "byte",
    unitDisplay: "short",
    maximumFractionDigits: power ? 1 : 0,
  });
}

/** The name of a day of the week, of a time in milliseconds. */
export function weekday(at: number): string {
  return new Intl.DateTimeFormat(locale(), { weekday: "long" }).format(at);
}

/** Month and year of a time in milliseconds. */
export function month(at: number): string {
  return new Intl.DateTimeFormat(locale(), { month: "long", year: "numeric" }).format(at);
}

/** Day and time of a time in milliseconds. */
export function dateAndTime(at: number): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(at);
}
