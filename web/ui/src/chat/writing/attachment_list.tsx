import { blockImage } from "../../client";
import { Icon } from "../../design/icons";
import { isShown, type Attachment, type Parts } from "./attachments";
import { ATTACHMENTS as WORDS } from "../words";

interface Props {
  readonly attachments: readonly Attachment[];
  readonly onRemove: (id: string) => void;
}

/** The files of the message that is being written. */
export function AttachmentList({ attachments, onRemove }: Props) {
  if (!attachments.length) return null;
  return (
    <ul className="attachments" aria-label={WORDS.attached}>
      {attachments.map((one) => (
        <li key={one.id}>
          {one.kind === "image" ? (
            <img className="thumbnail" src={blockImage(one.block)} alt={one.name} />
          ) : (
            <span className="file-name">{one.name}</span>
          )}
          <button
            type="button"
            className="quiet"
            aria-label={WORDS.remove(one.name)}
            onClick={() => onRemove(one.id)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The files of a message that was sent. */
export function SentFiles({ parts }: { readonly parts: Parts }) {
  if (!parts.images.length && !parts.files.length) return null;
  return (
    <div className="sent-files">
      {parts.images.map((url, index) =>
        isShown(url) ? (
          <img key={index} className="picture" src={url} alt={WORDS.image} />
        ) : (
          <span key={index} className="muted">
            {WORDS.elsewhere}
          </span>
        ),
      )}
      {parts.files.map((file, index) => (
        <details key={index} className="fold">
          <summary>{file.name}</summary>
          <pre tabIndex={0} dir="auto">
            {file.text}
          </pre>
        </details>
      ))}
    </div>
  );
}
