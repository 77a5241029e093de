/** Keeps a scrolled list at its end while that is what its reader wants. */
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

const NEAR = 48; // pixels from the end that count as the end

interface Stick {
  readonly isAtEnd: boolean;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
}

export function useStick(
  box: RefObject<HTMLElement | null>,
  content: RefObject<HTMLElement | null>,
): Stick {
  const [isAtEnd, setAtEnd] = useState(true);
  const sticks = useRef(true);
  const top = useRef(0);
  const height = useRef(0);

  const toEnd = useCallback(() => {
    const found = box.current;
    if (!found) return;
    sticks.current = true;
    setAtEnd(true);
    found.scrollTop = found.scrollHeight;
  }, [box]);

  const onScroll = useCallback(() => {
    const found = box.current;
    if (!found) return;
    const left = found.scrollHeight - found.clientHeight - found.scrollTop;
    // Growing content moves nothing; only a person scrolls up.
    const wentUp = found.scrollTop < top.current - 1 && found.scrollHeight >= height.current;
    if (wentUp) sticks.current = false;
    else if (left <= NEAR) sticks.current = true;
    top.current = found.scrollTop;
    height.current = found.scrollHeight;
    setAtEnd(sticks.current);
  }, [box]);

  useEffect(() => {
    const inner = content.current;
    const outer = box.current;
    if (!inner || !outer) return;
    const follow = new ResizeObserver(() => {
      if (sticks.current) outer.scrollTop = outer.scrollHeight;
    });
    follow.observe(inner);
    follow.observe(outer);
    return () => follow.disconnect();
  }, [box, content]);

  return { isAtEnd, onScroll, toEnd };
}
