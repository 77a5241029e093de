/** Which language this browser shows: the one that was chosen, else the first known of its own. */
import { preference, usePreference } from "../settings/preferences";

export type Language = "en" | "de";

/** What each language calls itself. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
};

export function language(): Language {
  return languageOf(preference("language"), navigator.languages);
}

/** The language of the page; the component is drawn again when it changes. */
export function useLanguage(): Language {
  return languageOf(usePreference("language"), navigator.languages);
}

/** Pure: `chosen` is `system`, or a language. */
export function languageOf(chosen: string, spoken: readonly string[]): Language {
  if (chosen === "en" || chosen === "de") return chosen;
  const known = spoken.map((one) => one.slice(0, 2).toLowerCase());
  return known.find((one): one is Language => one === "en" || one === "de") ?? "en";
}

/** For `Intl`: the browser's own variety of the language, such as `en-GB`. */
export function locale(): string {
  const base = language();
  return navigator.languages.find((one) => one.toLowerCase().startsWith(base)) ?? base;
}
