/** The message that is being written in a session: its text and its files. */
import { useMemo } from "react";
import type { Input } from "../../client";
import { attachmentsOf, inputOf, partsOf, type Attachment } from "./attachments";
import { useAttachments } from "./use_attachments";
import { useDraft } from "./use_draft";

export interface Message {
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** Why a file was not taken. */
  readonly refused: string | undefined;
  readonly isEmpty: boolean;
  readonly setText: (text: string) => void;
  readonly add: (files: readonly File[]) => void;
  readonly remove: (id: string) => void;
  /** Put a message back; what was being written stays below it. */
  readonly edit: (input: Input) => void;
  /** The message, which is then no longer being written. */
  readonly take: () => Input;
}

export function useMessage(owner: string, sessionId: string, isNew: boolean): Message {
  const [text, setText] = useDraft(owner, sessionId, isNew);
  const { attachments, refused, add, set, remove } = useAttachments(sessionId);
  return useMemo(
    () => ({
      text,
      attachments,
      refused,
      isEmpty: text.trim() === "" && !attachments.length,
      setText,
      add,
      remove,
      edit: (input) => {
        const before = partsOf(input).text;
        setText(text.trim() ? `${before}\n\n${text}` : before);
        set([...attachmentsOf(input), ...attachments]);
      },
      take: () => {
        setText("");
        set([]);
        return inputOf(text, attachments);
      },
    }),
    // The setters are those of this text and these files.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [text, attachments, refused, sessionId, isNew],
  );
}
