/** The files of the message that is being written, of each session. They last as long as the page. */
import { useCallback, useRef, useState } from "react";
import { attached, MOST, Unfit, type Attachment } from "./attachments";
import { ATTACHMENTS as WORDS } from "../words";

interface Attachments {
  readonly attachments: readonly Attachment[];
  /** Why a file was not taken. */
  readonly refused: string | undefined;
  readonly add: (files: readonly File[]) => void;
  readonly set: (attachments: readonly Attachment[]) => void;
  readonly remove: (id: string) => void;
}

type BySession = Readonly<Record<string, readonly Attachment[]>>;

const NONE: readonly Attachment[] = [];

export function useAttachments(key: string): Attachments {
  const [all, setAll] = useState<BySession>({});
  const [refused, setRefused] = useState<{ key: string; why: string }>();
  const change = useCallback(
    (work: (before: readonly Attachment[]) => readonly Attachment[]) =>
      setAll((before) => ({ ...before, [key]: work(before[key] ?? NONE) })),
    [key],
  );

  // Files are shown in the order in which they were given: a large one is read for longer.
  const before = useRef<Promise<unknown>>(Promise.resolve());

  const add = (files: readonly File[]) => {
    setRefused(undefined);
    const reading = Promise.allSettled(files.slice(0, MOST).map(attached));
    before.current = before.current.then(async () => {
      const results = await reading;
      const taken = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      const fault = results.find((one) => one.status === "rejected");
      if (fault) setRefused({ key, why: reason(fault.reason) });
      else if (files.length > MOST) setRefused({ key, why: WORDS.many(MOST) });
      change((there) => {
        const both = [...there, ...taken];
        if (both.length > MOST) setRefused({ key, why: WORDS.many(MOST) });
        return both.slice(0, MOST);
      });
    });
  };
  const set = (attachments: readonly Attachment[]) => {
    setRefused(undefined);
    change(() => attachments);
  };
  const remove = (id: string) => change((before) => before.filter((one) => one.id !== id));
  const why = refused?.key === key ? refused.why : undefined;
  return { attachments: all[key] ?? NONE, refused: why, add, set, remove };
}

function reason(error: unknown): string {
  return error instanceof Unfit ? error.message : WORDS.unreadable;
}
