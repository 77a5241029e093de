import { useEffect, useState } from "react";
import { Refused } from "../client";

/** What a question is answered with, asked anew with each key; the last answer until then. Without a
 * key nothing is asked. What is refused stays unknown. */
export function useAsked<T>(key: string | undefined, question: () => Promise<T>): T | undefined {
  const [found, setFound] = useState<T>();
  useEffect(() => {
    if (key === undefined) return;
    let isOver = false;
    question().then(
      (answer) => {
        if (!isOver) setFound(answer);
      },
      (error: unknown) => {
        if (!(error instanceof Refused)) throw error;
      },
    );
    return () => {
      isOver = true;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the key stands for the question
  }, [key]);
  return found;
}
