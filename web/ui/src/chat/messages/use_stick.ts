/** Keeps a scrolled list at its end while that is what its reader wants. */
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

const NEAR = 48; // pixels from the end that count as the end
const HAND = 200; // milliseconds after a turn of the wheel in which a browser moves the list

interface Stick {
  readonly isAtEnd: boolean;
  readonly onScroll: () => void;
  /** Somebody turns the wheel, moves a finger or presses a key over the list. */
  readonly onHand: () => void;
  readonly toEnd: () => void;
}

/** A list that grows while somebody scrolls it: browsers scroll in small steps over several frames,
 * and setting the position ends that. So a hand on the list suspends the following for a moment, and
 * only its way decides: up leaves the end, down to the end comes back. A list that changes its height
 * moves by itself, too: rows come before the others, or turn out lower than they were guessed. That
 * decides nothing. */
export function useStick(
  box: RefObject<HTMLElement | null>,
  content: RefObject<HTMLElement | null>,
): Stick {
  const [isAtEnd, setAtEnd] = useState(true);
  const sticks = useRef(true);
  const lowest = useRef(0); // position since the list last went down, in pixels from the top
  const last = useRef(0);
  const height = useRef(0);
  const hand = useRef<ReturnType<typeof setTimeout>>(undefined);

  const follow = useCallback(() => {
    const found = box.current;
    if (found && sticks.current && hand.current === undefined) found.scrollTop = found.scrollHeight;
  }, [box]);

  const onHand = useCallback(() => {
    clearTimeout(hand.current);
    hand.current = setTimeout(() => {
      hand.current = undefined;
      follow();
    }, HAND);
  }, [follow]);

  const toEnd = useCallback(() => {
    clearTimeout(hand.current);
    hand.current = undefined;
    sticks.current = true;
    setAtEnd(true);
    follow();
  }, [follow]);

  const onScroll = useCallback(() => {
    const found = box.current;
    if (!found) return;
    const { scrollTop, scrollHeight, clientHeight } = found;
    const left = scrollHeight - clientHeight - scrollTop;
    const wasMoved = scrollHeight !== height.current && hand.current === undefined;
    const wentDown = scrollTop > last.current;
    if (wentDown || wasMoved) lowest.current = scrollTop;
    if (scrollTop < lowest.current - 1) sticks.current = false;
    else if (wentDown && left <= NEAR) sticks.current = true;
    last.current = scrollTop;
    height.current = scrollHeight;
    setAtEnd(sticks.current);
    if (wasMoved) follow();
  }, [box, follow]);

  useEffect(() => {
    const inner = content.current;
    const outer = box.current;
    if (!inner || !outer) return;
    const observer = new ResizeObserver(follow);
    observer.observe(inner);
    observer.observe(outer);
    return () => {
      observer.disconnect();
      clearTimeout(hand.current);
      hand.current = undefined;
    };
  }, [box, content, follow]);

  return { isAtEnd, onScroll, onHand, toEnd };
}
