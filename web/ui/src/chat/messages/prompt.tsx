/** What a person has written: as it was sent, as it waits, and while it is changed. */
import { useState } from "react";
import type { Outgoing } from "../../client";
import { Icon } from "../../design/icons";
import { refusal } from "../../languages/refusals";
import { SentFiles } from "../writing/attachment_list";
import { attachmentsOf, inputOf, partsOf } from "../writing/attachments";
import { CopyButton } from "../copy_button";
import type { Actions, Of } from "./parts";
import { OUTGOING, PROMPT as WORDS } from "../words";

interface Props {
  readonly item: Of<"prompt">;
  readonly actions: Actions;
}

export function Prompt({ item, actions }: Props) {
  const [isEditing, setEditing] = useState(false);
  const { again } = item;
  const parts = partsOf(item.input);
  if (isEditing && again)
    return (
      <PromptEditor
        text={parts.text}
        onCancel={() => setEditing(false)}
        onSend={(text) => {
          setEditing(false);
          actions.askAgain(again, inputOf(text, attachmentsOf(item.input)));
        }}
      />
    );
  return (
    <div className="said">
      <article className="prompt" aria-label={WORDS.you}>
        <SentFiles parts={parts} />
        {parts.text && <p dir="auto">{parts.text}</p>}
        {item.isCut && <p className="muted">{WORDS.isCut}</p>}
        {item.sending && <Sending outgoing={item.sending} actions={actions} />}
      </article>
      {!item.sending && (
        <div className="prompt-tools">
          {again && (
            <button
              type="button"
              className="quiet"
              aria-label={WORDS.edit}
              title={WORDS.edit}
              data-edit
              onClick={() => setEditing(true)}
            >
              <Icon name="edit" />
            </button>
          )}
          <CopyButton text={parts.text} what="message" />
        </div>
      )}
    </div>
  );
}

interface EditorProps {
  readonly text: string;
  readonly onSend: (text: string) => void;
  readonly onCancel: () => void;
}

function PromptEditor({ text: before, onSend, onCancel }: EditorProps) {
  const [text, setText] = useState(before);
  const isEmpty = text.trim() === "";
  return (
    <form
      className="prompt-editor"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isEmpty) onSend(text);
      }}
    >
      <textarea
        autoFocus
        rows={Math.max(3, Math.min(12, text.split("\n").length + 1))}
        dir="auto"
        aria-label={WORDS.editing}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onCancel();
        }}
      />
      <p className="muted">{WORDS.hint}</p>
      <div className="composer-tools">
        <button type="button" className="button" onClick={onCancel}>
          {WORDS.cancel}
        </button>
        <button className="button button-main" disabled={isEmpty}>
          {WORDS.send}
        </button>
      </div>
    </form>
  );
}

function Sending({ outgoing, actions }: { outgoing: Outgoing; actions: Actions }) {
  if (outgoing.state === "accepted") return null;
  if (outgoing.state === "waiting") return <p className="muted sending">{OUTGOING.waiting}</p>;
  const edit = () => {
    actions.edit(outgoing.input);
    actions.discard(outgoing);
  };
  return (
    <div className="refused" role="alert">
      <p>{refusal(outgoing.code, outgoing.error ?? OUTGOING.refused)}</p>
      <button type="button" className="button" onClick={() => actions.retry(outgoing)}>
        {OUTGOING.again}
      </button>
      <button type="button" className="button" onClick={edit}>
        {OUTGOING.edit}
      </button>
      <button type="button" className="button" onClick={() => actions.discard(outgoing)}>
        {OUTGOING.discard}
      </button>
    </div>
  );
}
