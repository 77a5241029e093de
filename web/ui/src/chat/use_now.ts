import { useEffect, useState } from "react";

/** The time in milliseconds, read again every `every` milliseconds while `isOn`. */
export function useNow(every: number, isOn = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isOn) return;
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every, isOn]);
  return now;
}
