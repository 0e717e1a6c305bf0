import { Effect } from "effect";
import { gunzipSync } from "node:zlib";
import { Log, type LogMessage } from "../../src/actors/ports/log.ts";

/** Every message that a partition's log holds. */
export const readWholeLog = Effect.fnUntraced(function* (partition: number) {
  const log = yield* Log;
  const messages: Array<LogMessage> = [];
  while (true) {
    const more = yield* log.read(partition, (messages.at(-1)?.sequence ?? 0) + 1, 4_194_304);
    if (more.length === 0) return messages;
    messages.push(...more);
  }
});

/** The records of each pair in the order in which the log holds them. */
export const linesByPair = (messages: ReadonlyArray<LogMessage>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const lines = new Map<string, Array<string>>();
  for (const { chunks } of messages) {
    for (const { data, encoding, from, pairKey, to } of chunks) {
      const part = data.subarray(from, to);
      const own = lines.get(pairKey) ?? [];
      lines.set(pairKey, own);
      own.push(...linesOf(encoding === "gzip" ? gunzipSync(part) : part));
    }
  }
  return lines;
};

export const linesOf = (data: Uint8Array): ReadonlyArray<string> =>
  data.length === 0 ? [] : Buffer.from(data).toString("utf8").slice(0, -1).split("\n");

/** The running numbers of each forwarder, in the order of the log. */
export const numbersByWriter = (messages: ReadonlyArray<LogMessage>): ReadonlyMap<string, ReadonlyArray<number>> => {
  const numbers = new Map<string, Array<number>>();
  for (const { writer } of messages) {
    if (writer === undefined) continue;
    const own = numbers.get(writer.incarnation) ?? [];
    numbers.set(writer.incarnation, own);
    own.push(writer.number);
  }
  return numbers;
};

export const oneTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, i) => i + 1);
