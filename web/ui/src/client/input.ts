/** What a message consists of: text, or blocks of text and images. Pure. */

/** `{type: "text", text}` or `{type: "image_url", image_url: {url}}`; there may be others. */
export interface Block {
  readonly type: string;
  readonly [field: string]: unknown;
}

export type Input = string | readonly Block[];

/** Whether it is one, whoever says so. */
export function isInput(value: unknown): value is Input {
  if (typeof value === "string") return true;
  const isBlock = (one: unknown) => typeof (one as Partial<Block> | null)?.type === "string";
  return Array.isArray(value) && value.length > 0 && value.every(isBlock);
}

/** The text of a block, if it is one of text. */
export function blockText(block: Block): string | undefined {
  const { text } = block;
  return block.type.endsWith("text") && typeof text === "string" ? text : undefined;
}

/** The address of an image, if the block is one. */
export function blockImage(block: Block): string | undefined {
  if (!block.type.endsWith("image") && block.type !== "image_url") return undefined;
  const named = block["image_url"];
  const url = typeof named === "object" ? (named as { url?: unknown } | null)?.url : named;
  return typeof url === "string" ? url : undefined;
}
