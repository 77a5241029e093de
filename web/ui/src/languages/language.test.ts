import { afterEach, expect, it } from "vitest";
import { choose } from "../settings/preferences";
import { bytes, number, plural } from "./formats";
import { languageOf } from "./language";
import { refusal } from "./refusals";

afterEach(() => choose("language", "system"));

it("without a choice the first known language of the browser is taken", () => {
  expect(languageOf("system", ["fr-FR", "de-CH", "en"])).toBe("de");
  expect(languageOf("system", ["fr", "ja"])).toBe("en");
  expect(languageOf("en", ["de"])).toBe("en");
});

it("numbers, sizes and plurals follow the language", () => {
  choose("language", "de");
  expect(number(1234567.5)).toBe("1.234.567,5");
  expect(bytes(10_485_760)).toBe("10,5 MB");
  expect(plural(1, { one: "# Sitzung", other: "# Sitzungen" })).toBe("1 Sitzung");
  expect(plural(0, { one: "# Sitzung", other: "# Sitzungen" })).toBe("0 Sitzungen");
  choose("language", "en");
  expect(number(1234567.5)).toBe("1,234,567.5");
});

it("a refusal is translated, and what has no translation is shown as the server says it", () => {
  choose("language", "de");
  expect(refusal("quota", "Too many.")).toMatch(/^Du hast so viele Läufe/);
  expect(refusal("no_such_code", "Too many.")).toBe("Too many.");
  expect(refusal(undefined, "Too many.")).toBe("Too many.");
  choose("language", "en");
  expect(refusal("quota", "Too many.")).toBe("Too many.");
});
