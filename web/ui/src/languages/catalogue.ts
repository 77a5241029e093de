/** The strings of a room in each language. A string that one of them lacks does not compile. */
import { language } from "./language";

/** The catalogue in the language of this browser, read anew at each call. */
export function catalogue<T>(en: T, de: NoInfer<T>): () => T {
  return () => (language() === "de" ? de : en);
}

/** The same as an object that is read in place: each of its names gives what it is in the language of
 * this browser. It has to be read when something is drawn, not when a module is loaded. */
export function spoken<T extends object>(en: T, de: NoInfer<T>): T {
  const words = catalogue(en, de);
  const live = {} as T;
  for (const name of Object.keys(en) as (keyof T)[])
    Object.defineProperty(live, name, { enumerable: true, get: () => words()[name] });
  return live;
}
