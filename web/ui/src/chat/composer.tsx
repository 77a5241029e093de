import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from "react";
import { Icon } from "../design/icons";
import { usePreference } from "../settings/preferences";
import { sends } from "../shortcuts/send_key";
import { COMPOSER } from "./said";

interface Props {
  readonly text: string;
  readonly isWorking: boolean;
  readonly canStop: boolean;
  readonly onText: (text: string) => void;
  readonly onSend: (onBusy: "queue" | "interrupt") => void;
  readonly onStop: () => void;
}

const TALLEST = 240; // pixels

/** Where messages are written. While a run is live they wait for it, or stop it. */
export function Composer({ text, isWorking, canStop, onText, onSend, onStop }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const isEmpty = text.trim() === "";
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
      <label className="for-screen-readers" htmlFor="message">
        {COMPOSER.message}
      </label>
      <textarea
        id="message"
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        placeholder={isWorking ? COMPOSER.next : COMPOSER.write}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={pressed}
      />
      <div className="composer-tools">
        {isWorking && (
          <button type="button" className="button" disabled={!canStop} onClick={onStop}>
            <Icon name="stop" /> {COMPOSER.stop}
          </button>
        )}
        {isWorking && !isEmpty && (
          <button type="button" className="button" onClick={() => onSend("interrupt")}>
            {COMPOSER.interrupt}
          </button>
        )}
        <button className="button button-main" disabled={isEmpty}>
          <Icon name="send" /> {isWorking ? COMPOSER.queue : COMPOSER.send}
        </button>
      </div>
    </form>
  );
}
