import { Fragment } from "react";

const CODE = /`([^`]+)`/;

/** A sentence in which what stands between backticks is code. */
export function WithCode({ text }: { readonly text: string }) {
  return text
    .split(CODE)
    .map((part, index) =>
      index % 2 ? <code key={index}>{part}</code> : <Fragment key={index}>{part}</Fragment>,
    );
}
