/** The strings of a room in each language. A string that one of them lacks does not compile. */
import { language } from "./language";

/** The catalogue in the language of this browser, read anew at each call. */
export function catalogue<T>(en: T, de: NoInfer<T>): () => T {
  return () => (language() === "de" ? de : en);
}
