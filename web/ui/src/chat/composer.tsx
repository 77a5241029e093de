import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from "react";
import { Icon } from "../design/icons";

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
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
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
        Message
      </label>
      <textarea
        id="message"
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        placeholder={isWorking ? "Write what comes next" : "Write a message"}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={pressed}
      />
      <div className="composer-tools">
        {isWorking && (
          <button type="button" className="button" disabled={!canStop} onClick={onStop}>
            <Icon name="stop" /> Stop
          </button>
        )}
        {isWorking && !isEmpty && (
          <button type="button" className="button" onClick={() => onSend("interrupt")}>
            Stop and send
          </button>
        )}
        <button className="button button-main" disabled={isEmpty}>
          <Icon name="send" /> {isWorking ? "Queue" : "Send"}
        </button>
      </div>
    </form>
  );
}
