/** Where sentences end. Pure. */

const END = /[.!?…](?=\s)|[。！？]|\n\n/g;

/** How much of the text, from `from` on, are whole sentences, in characters. Takes time in proportion
 * to the text, also if no sentence in it ends. */
export function wholeSentences(text: string, from: number): number {
  END.lastIndex = from;
  let end = from;
  while (END.exec(text)) end = END.lastIndex;
  return end - from;
}
