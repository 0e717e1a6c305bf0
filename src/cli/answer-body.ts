/**
 * A whole answer as text.
 *
 * @throws Error when it is longer than `bytesMax`
 */
export const readAnswerText = async (body: AsyncIterable<unknown>, bytesMax: number): Promise<string> => {
  const parts: Array<Buffer> = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`the answer is larger than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
};
