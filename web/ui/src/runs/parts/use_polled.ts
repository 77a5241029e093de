import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { Refused, type Answered } from "./runs_api";

/**
 * What was last read. `failure`: why the newest try gave nothing; then `value` is from before.
 * `readAt` and `now` in epoch seconds; `now` by the server's clock.
 */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly failure: Refused | undefined;
  readonly readAt: number;
  readonly ahead: number;
  readonly refresh: () => void;
}

const MOST = 30_000;

/**
 * Asks again `every` milliseconds after each answer while the tab is seen; after a failure ever
 * less often. `ask` has to be the same function as long as it asks for the same; with another one
 * what was read is dropped. `every` of undefined: once, and when it is refreshed.
 */
export function usePolled<T>(
  ask: (signal: AbortSignal) => Promise<Answered<T>>,
  every: number | undefined,
): Polled<T> {
  const [state, setState] = useState<{
    of: unknown;
    answered?: Answered<T>;
    readAt: number;
    failure?: Refused;
  }>({ of: ask, readAt: seconds() });
  const [asked, askAgain] = useReducer((count: number) => count + 1, 0);
  const failures = useRef(0);

  useEffect(() => {
    const control = new AbortController();
    const isOver = () => control.signal.aborted;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsking = false;

    const plan = () => {
      clearTimeout(timer);
      if (isOver() || document.hidden) return;
      const pause = failures.current
        ? Math.min(MOST, (every ?? 2_000) * 2 ** (failures.current - 1))
        : every;
      if (pause !== undefined) timer = setTimeout(() => void read(), pause);
    };
    const read = async () => {
      if (isAsking || isOver()) return;
      isAsking = true;
      try {
        const answered = await ask(control.signal);
        failures.current = 0;
        setState({ of: ask, answered, readAt: seconds() });
      } catch (error) {
        if (isOver()) return;
        failures.current += 1;
        const failure = error instanceof Refused ? error : new Refused(String(error), 0);
        setState((before) =>
          before.of === ask ? { ...before, failure } : { of: ask, readAt: seconds(), failure },
        );
      } finally {
        isAsking = false;
        plan();
      }
    };
    const wake = () => {
      if (!document.hidden) void read();
    };
    void read();
    for (const name of ["online", "focus"]) window.addEventListener(name, wake);
    document.addEventListener("visibilitychange", wake);
    return () => {
      control.abort();
      clearTimeout(timer);
      for (const name of ["online", "focus"]) window.removeEventListener(name, wake);
      document.removeEventListener("visibilitychange", wake);
    };
  }, [ask, every, asked]);

  const refresh = useCallback(() => {
    failures.current = 0;
    askAgain();
  }, []);
  const isCurrent = state.of === ask;
  return {
    value: isCurrent ? state.answered?.value : undefined,
    failure: isCurrent ? state.failure : undefined,
    readAt: state.readAt,
    ahead: state.answered?.ahead ?? 0,
    refresh,
  };
}

function seconds(): number {
  return Date.now() / 1_000;
}
