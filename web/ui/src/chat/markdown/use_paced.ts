import { useEffect, useRef, useState } from "react";

const PER_MILLISECOND = 40; // characters
const LONGEST_PAUSE = 400; // milliseconds

/** A text that grows, at a pace at which it can be drawn: a long one comes in larger steps. Once it
 * grows no more it is the text. */
export function usePaced(text: string, isGrowing: boolean, cost: number): string {
  const [shown, setShown] = useState(text);
  const newest = useRef(text);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const pause = Math.min(LONGEST_PAUSE, cost / PER_MILLISECOND);
  useEffect(() => {
    newest.current = text;
    if (!isGrowing || timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      setShown(newest.current);
    }, pause);
  }, [text, isGrowing, pause]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return isGrowing && text.startsWith(shown) ? shown : text;
}
