import { useLayoutEffect, useMemo, useRef } from "react";

type Functions = Record<string, (...given: never[]) => void>;

/** The same functions in each drawing, which do what the newest ones do: what gets them is not drawn
 * again because of them. */
export function useStable<T extends Functions>(newest: T): T {
  const latest = useRef(newest);
  useLayoutEffect(() => {
    latest.current = newest;
  });
  return useMemo(() => {
    const names = Object.keys(latest.current) as (keyof T)[];
    const stable = names.map((name) => [
      name,
      (...given: never[]) => {
        latest.current[name]?.(...given);
      },
    ]);
    return Object.fromEntries(stable) as T;
  }, []);
}
