import { Effect, Layer } from "effect";
import { Buffer } from "../../../src/actors/buffer/buffer.ts";
import { PartitionState } from "../../../src/actors/partition/partition-state.ts";
import type { Checkpoint, Claim, Register, Row } from "../../../src/actors/ports/checkpoints.ts";
import { type Chunk, Log, type LogMessage } from "../../../src/actors/ports/log.ts";
import type { BatchLimits } from "../../../src/domain/batch.ts";
import { emptyBooks } from "../../../src/domain/books.ts";
import { storedJob } from "../../support/world.ts";

/** A chunk of records of 10 bytes. */
export const chunkOf = (customer: string, records: number): Chunk => ({
  pairKey: `${customer}.http_requests`,
  records,
  bytes: records * 10,
  encoding: "raw",
  data: globalThis.Buffer.from("123456789\n".repeat(records)),
  from: 0,
  to: records * 10,
});

/** One message per entry, numbered from 1. */
export const messagesOf = (
  entries: ReadonlyArray<{ readonly millis: number; readonly chunks: ReadonlyArray<Chunk> }>,
): ReadonlyArray<LogMessage> =>
  entries.map(({ chunks, millis }, i) => ({
    sequence: i + 1,
    millis,
    writer: undefined,
    jobSet: 0,
    records: chunks.reduce((sum, { records }) => sum + records, 0),
    chunks,
  }));

/** What a log answers; a message taken out of the array is lost. */
export const logOf = (messages: ReadonlyArray<LogMessage>, lastSequence = messages.at(-1)?.sequence ?? 0) =>
  Layer.succeed(Log, {
    read: (_, from) => Effect.succeed(messages.filter(({ sequence }) => sequence >= from)),
    tick: () => Effect.void,
    purge: () => Effect.void,
    describe: () =>
      Effect.succeed({
        incarnation: "i",
        firstSequence: messages[0]?.sequence ?? lastSequence + 1,
        lastSequence,
        bytes: 0,
      }),
    waitForWrite: (_, millis) => Effect.sleep(millis),
  });

export const registerOf = (over: Partial<Register> = {}): Register => ({
  owner: "me",
  epoch: 1,
  nonce: "n",
  scan: 0,
  incarnation: "i",
  snapshot: 0,
  writers: {},
  duplicates: [],
  lowWater: 0,
  ...over,
});

/** Keeps what was written and answers as `answer` says. */
export const scriptedClaim = (register = registerOf()) => {
  const written: Array<Checkpoint> = [];
  let answer: ReturnType<Claim["write"]> = Effect.void;
  const claim: Claim = {
    register,
    rows: [],
    damaged: new Set(),
    write: (checkpoint) => {
      written.push(checkpoint);
      return Effect.suspend(() => answer);
    },
  };
  return { claim, written, willAnswer: (next: typeof answer) => void (answer = next) };
};

export const rowOf = (job: string, customer: string, over: Partial<Row> = {}): Row => ({
  job,
  pairKey: `${customer}.http_requests`,
  revision: 1,
  start: 0,
  cursor: 0,
  counted: 0,
  cuts: [],
  books: emptyBooks,
  snapshot: undefined,
  deleted: false,
  lastSuccessMillis: undefined,
  lastErrorMillis: undefined,
  lastError: undefined,
  ...over,
});

export const pendingBooks = (records: number) => ({
  ...emptyBooks,
  accepted: { records, bytes: records * 10 },
  pending: { records, bytes: records * 10 },
});

/** A buffer whose actor says that it is idle and does nothing, so that a test decides what is settled and when. */
export const addBuffer = (
  state: PartitionState,
  row: Row,
  batch: BatchLimits,
  bounds = { bytesMax: 1_000_000, closedBatchesMax: 8 },
) => {
  const stored = storedJob(row.job, row.pairKey.split(".")[0]!, { batch });
  const buffer = new Buffer(state.host(bounds), stored, stored, { row, scan: state.scan });
  buffer.actor = {
    send: () => undefined,
    delivery: () => "idle",
    flow: () => "live",
    inspect: () => () => undefined,
    context: () => ({ batch: null }) as never,
    stop: () => undefined,
  };
  state.add(buffer);
  return buffer;
};

export const partitionOf = (claim: Claim, position: number) => {
  const state = new PartitionState(0, claim, "i");
  state.position = position;
  return state;
};
