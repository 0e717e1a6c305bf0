import { Effect } from "effect";
import { Log } from "../ports/log.ts";
import type { PartitionState } from "./partition-state.ts";

const pageBytesMax = 4_194_304;
/** What lies after the scan is what came since the last checkpoint, seconds of the log; more is not read twice. */
const pagesMax = 16;

/** Whether the log holds something of a pair (`customer.dataset`). */
export type HoldsPair = (pairKey: string) => boolean;

const nobody: HoldsPair = () => false;
const everybody: HoldsPair = () => true;

/**
 * Whose records lie between the register's scan and the end of the log, asked before the reader begins. Only of these
 * may the owner before have pushed a batch that no durable row tells of. In doubt (too much, or no answer) everybody's.
 */
export const pairsAfterScan = (state: PartitionState): Effect.Effect<HoldsPair, never, Log> =>
  Effect.gen(function* () {
    const { scan } = state.claim.register;
    // Of a log that is another one nothing was ever pushed; after the reader has begun, the question is too late.
    if (state.isRebased || state.position > scan) return nobody;
    const log = yield* Log;
    const { lastSequence } = yield* log.describe(state.partition);
    const found = new Set<string>();
    let from = scan + 1;
    for (let page = 0; from <= lastSequence; page++) {
      const messages = page < pagesMax ? yield* log.read(state.partition, from, pageBytesMax) : [];
      if (messages.length === 0) return everybody;
      for (const { chunks } of messages) for (const { pairKey } of chunks) found.add(pairKey);
      from = messages.at(-1)!.sequence + 1;
    }
    return (pairKey: string) => found.has(pairKey);
  }).pipe(Effect.catchTag("LogUnavailable", () => Effect.succeed(everybody)));
