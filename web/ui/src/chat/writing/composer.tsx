import { useEffect, useLayoutEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { Icon } from "../../design/icons";
import { usePreference } from "../../settings/preferences";
import { sends } from "../../shortcuts/send_key";
import { AttachmentList } from "./attachment_list";
import type { Message } from "./use_message";
import { ATTACHMENTS, COMPOSER as WORDS } from "../words";

interface Props {
  readonly message: Message;
  readonly isWorking: boolean;
  readonly canStop: boolean;
  /** What is chosen for this session. */
  readonly options: ReactNode;
  readonly onSend: (onBusy: "queue" | "interrupt") => void;
  readonly onStop: () => void;
}

const TALLEST = 240; // pixels

/** Where messages are written. While a run is live they wait for it, or stop it. */
export function Composer({ message, isWorking, canStop, options, onSend, onStop }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const { text, isEmpty } = message;
  const sendKey = usePreference("send_key");

  useLayoutEffect(() => {
    const found = field.current;
    if (!found) return;
    found.style.height = "auto";
    found.style.height = `${Math.min(found.scrollHeight, TALLEST)}px`;
  }, [text]);

  useEffect(() => {
    // On a phone the keyboard would cover the conversation.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, []);

  const pressed = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || !sends(event, sendKey)) return;
    event.preventDefault();
    if (!isEmpty) onSend("queue");
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isEmpty) onSend("queue");
      }}
    >
      <AttachmentList attachments={message.attachments} onRemove={message.remove} />
      {message.refused !== undefined && (
        <p className="note note-needs" role="alert">
          {message.refused}
        </p>
      )}
      <label className="for-screen-readers" htmlFor="message">
        {WORDS.message}
      </label>
      <textarea
        id="message"
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        placeholder={isWorking ? WORDS.next : WORDS.write}
        onChange={(event) => message.setText(event.target.value)}
        onKeyDown={pressed}
        onPaste={(event) => {
          const files = [...event.clipboardData.files];
          if (!files.length) return;
          event.preventDefault();
          message.add(files);
        }}
      />
      <div className="composer-tools">
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            message.add([...(event.target.files ?? [])]);
            event.target.value = ""; // so that the same file can be chosen again
          }}
        />
        <button
          type="button"
          className="quiet"
          aria-label={ATTACHMENTS.add}
          title={ATTACHMENTS.add}
          onClick={() => chooser.current?.click()}
        >
          <Icon name="plus" />
        </button>
        {options}
        <span className="gap" />
        {isWorking && (
          <button type="button" className="button" data-stop disabled={!canStop} onClick={onStop}>
            <Icon name="stop" /> {WORDS.stop}
          </button>
        )}
        {isWorking && !isEmpty && (
          <button type="button" className="button" onClick={() => onSend("interrupt")}>
            {WORDS.interrupt}
          </button>
        )}
        <button className="button button-main" disabled={isEmpty}>
          <Icon name="send" /> {isWorking ? WORDS.queue : WORDS.send}
        </button>
      </div>
    </form>
  );
}
