/** Icons: 20 by 20, drawn with the colour of the text. They say nothing to screen readers. */
const PATHS = {
  menu: "M3 6h14M3 10h14M3 14h14",
  plus: "M10 4v12M4 10h12",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  copy: "M7 7h9v9H7zM4 13V4h9",
  check: "M4 10.5l4 4 8-9",
  close: "M5 5l10 10M15 5L5 15",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  down: "M10 4v12M5 11l5 5 5-5",
  again: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  edit: "M4 16l1-4 8-8 3 3-8 8z",
  tool: "M12 4a4 4 0 0 0-3.6 5.7L4 14l2 2 4.3-4.4A4 4 0 0 0 16 8l-2.5 1.5L11.5 8 13 5z",
  gear: "M4 6h7M15 6h1M4 10h1M9 10h7M4 14h9M13 4.5v3M7 8.5v3M15 12.5v3",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.5 4.5l1.4 1.4M14.1 14.1l1.4 1.4M4.5 15.5l1.4-1.4M14.1 5.9l1.4-1.4",
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return <img className="logo" src="/icon.svg" alt="" width="32" height="32" />;
}
