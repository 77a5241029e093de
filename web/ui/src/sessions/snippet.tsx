import type { Snippet } from "../client/api.generated";

/** A piece of a message with what was found in it; positions count characters, not UTF-16 units. */
export function Found({ snippet }: { readonly snippet: Snippet }) {
  const characters = Array.from(snippet.text);
  const part = (from: number, to?: number) => characters.slice(from, to).join("");
  let at = 0;
  const parts = snippet.ranges.map(([from, to]) => {
    const before = part(at, from);
    at = to;
    return (
      <span key={from}>
        {before}
        <mark>{part(from, to)}</mark>
      </span>
    );
  });
  return (
    <span className="found muted" dir="auto">
      {parts}
      {part(at)}
    </span>
  );
}
