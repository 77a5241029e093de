/** Files that go with a message: images, made smaller if they are large, and texts. */
import { blockImage, blockText, newId, type Block, type Input } from "../../client";
import { ATTACHMENTS as WORDS } from "../words";

export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly kind: "image" | "text";
  readonly block: Block;
}

/** What of a message's blocks is shown how. */
export interface Parts {
  readonly text: string;
  readonly images: readonly string[];
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

/** A file that cannot be sent; the message is for people. */
export class Unfit extends Error {
  override readonly name = "Unfit";
}

export const MOST = 8; // files of one message
const LONGEST_TEXT = 150_000; // bytes
const LARGEST_FILE = 30_000_000; // bytes of an image, before it is made smaller
const LARGEST_IMAGE = 500_000; // bytes of an image as it is sent
const WIDEST = 1_568; // pixels; models look at no more
const AS_IT_IS = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
/** Images that are shown: of other addresses the reader decides. */
const SHOWN = /^data:image\/(png|jpeg|webp|gif);base64,/;
const FILE = /^File (.{1,200}):\n```\n([\s\S]*)\n```$/;

/** The file as a part of a message. Rejects with Unfit. */
export async function attached(file: File): Promise<Attachment> {
  const isImage = file.type.startsWith("image/") && file.type !== "image/svg+xml";
  const block = isImage ? await imageBlock(file) : await textBlock(file);
  return { id: newId(), name: file.name || WORDS.pasted, kind: isImage ? "image" : "text", block };
}

/** Text and files as what is sent. */
export function inputOf(text: string, attachments: readonly Attachment[]): Input {
  if (!attachments.length) return text;
  const said: Block[] = text.trim() ? [{ type: "text", text }] : [];
  return [...said, ...attachments.map((one) => one.block)];
}

/** What is shown of an input. */
export function partsOf(input: Input): Parts {
  if (typeof input === "string") return { text: input, images: [], files: [] };
  const texts = input.map(blockText).filter((text) => text !== undefined);
  const files = texts.map((text) => FILE.exec(text));
  return {
    text: texts.filter((_, index) => !files[index]).join("\n"),
    images: input.map(blockImage).filter((url) => url !== undefined),
    files: files.flatMap((one) => (one ? [{ name: one[1] ?? "", text: one[2] ?? "" }] : [])),
  };
}

/** The files of an input that comes back to be edited. */
export function attachmentsOf(input: Input): Attachment[] {
  if (typeof input === "string") return [];
  return input.flatMap((block): Attachment[] => {
    const file = FILE.exec(blockText(block) ?? "");
    if (file) return [{ id: newId(), name: file[1] ?? "", kind: "text", block }];
    const isImage = blockImage(block) !== undefined;
    return isImage ? [{ id: newId(), name: WORDS.image, kind: "image", block }] : [];
  });
}

/** Whether an image is shown; others are links. */
export function isShown(url: string): boolean {
  return SHOWN.test(url);
}

async function textBlock(file: File): Promise<Block> {
  if (file.size > LONGEST_TEXT) throw new Unfit(WORDS.longText(file.name, LONGEST_TEXT / 1000));
  const bytes = await file.arrayBuffer();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Unfit(WORDS.noText(file.name));
  }
  if (text.includes("\0")) throw new Unfit(WORDS.noText(file.name));
  const name = file.name.replace(/[\r\n]/g, " ").slice(0, 200) || WORDS.pasted;
  return { type: "text", text: `File ${name}:\n\`\`\`\n${text}\n\`\`\`` };
}

async function imageBlock(file: File): Promise<Block> {
  if (file.size > LARGEST_FILE) throw new Unfit(WORDS.large(file.name, LARGEST_FILE / 1e6));
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Unfit(WORDS.noImage(file.name));
  }
  const widest = Math.max(bitmap.width, bitmap.height);
  const fits = widest <= WIDEST && file.size <= LARGEST_IMAGE && AS_IT_IS.has(file.type);
  const blob = fits ? file : await smaller(bitmap, Math.min(1, WIDEST / widest));
  bitmap.close();
  if (blob.size > 2 * LARGEST_IMAGE) throw new Unfit(WORDS.large(file.name, 1));
  return { type: "image_url", image_url: { url: await dataUrl(blob) } };
}

async function smaller(bitmap: ImageBitmap, scale: number): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    const take = (blob: Blob | null) => {
      if (blob) done(blob);
      else failed(new Unfit(WORDS.noImage(WORDS.image)));
    };
    canvas.toBlob(take, "image/webp", 0.85);
  });
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(typeof reader.result === "string" ? reader.result : "");
    reader.onerror = () => failed(new Unfit(WORDS.noImage(WORDS.image)));
    reader.readAsDataURL(blob);
  });
}
