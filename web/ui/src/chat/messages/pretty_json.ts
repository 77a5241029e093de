/** JSON with line breaks, for reading. Pure. */

const STRING = /"(?:[^"\\]|\\.)*"/g;
const NUMBER = /-?\d[\d.eE+-]*/g;

/** JSON objects and lists, indented; any other text as it is, and also JSON with numbers that would
 * lose digits: what is shown is what was said. */
export function prettyJson(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  const numbers = text.replace(STRING, "").match(NUMBER) ?? [];
  if (numbers.some((number) => String(Number(number)) !== number)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
