import { jetstreamManager } from "@nats-io/jetstream";
import { Effect, Layer, Semaphore } from "effect";
import { randomBytes } from "node:crypto";
import {
  type Checkpoint,
  Checkpoints,
  CheckpointUnavailable,
  type Claim,
  Fenced,
  type Receipt,
  type Register,
} from "../actors/ports/checkpoints.ts";
import { RowTable } from "../actors/ports/row-table.ts";
import { apiCodes, storeAtomically, type StreamMessage } from "./atomic-batch.ts";
import { decodeReceipt, decodeRegister, decodeRow, encodeControl } from "./checkpoint-codec.ts";
import { directGet } from "./direct-get.ts";
import { attempt, Nats } from "./nats.ts";
import {
  controlKindOf,
  controlStream,
  jobOfRow,
  receiptSubject,
  unclaimedSubject,
  registerSubject,
  rowSubject,
} from "./subjects.ts";

export interface CheckpointOptions {
  /** Rows in one atomic batch, the register not counted. */
  readonly checkpointRowsMax: number;
  readonly timeoutMillis: number;
  readonly readMessagesMax: number;
  readonly readBytesMax: number;
}

/** Rows and register in `CTL_<ppp>`, in atomic batches that only the register's owner can write. */
export const layerCheckpoints = (options: CheckpointOptions): Layer.Layer<Checkpoints, never, Nats> =>
  Layer.effect(
    Checkpoints,
    Effect.gen(function* () {
      const { control } = yield* Nats;
      // Not asked whether JetStream is there: a node may start while no leader is.
      const manager = yield* attempt("manage", () =>
        jetstreamManager(control, { checkAPI: false, timeout: options.timeoutMillis }),
      ).pipe(Effect.orDie);
      const store = { control, manager, options };
      return Checkpoints.of({
        claim: (partition, owner, log) => claim(store, partition, owner, log),
        register: (partition) => Effect.map(readRegister(store, partition), (held) => held?.register),
        inspect: (partition) => Effect.map(readAll(store, partition, 0), (all) => ({ ...all, rows: [...all.rows] })),
      });
    }),
  );

interface Store {
  readonly control: Nats["Service"]["control"];
  readonly manager: Awaited<ReturnType<typeof jetstreamManager>>;
  readonly options: CheckpointOptions;
}

interface Held {
  readonly register: Register;
  /** Of the register's message: what the next write is guarded by. */
  readonly sequence: number;
}

const unavailable = (partition: number, detail: string) => new CheckpointUnavailable({ partition, detail });

/** The register as the leader has it: a replica that lags would let a stale owner believe in itself. */
const readRegister = (store: Store, partition: number): Effect.Effect<Held | undefined, CheckpointUnavailable> =>
  attempt("read", () =>
    store.manager.streams.getMessage(controlStream(partition), { last_by_subj: registerSubject(partition) }),
  ).pipe(
    Effect.mapError(({ detail }) => unavailable(partition, detail)),
    Effect.flatMap((message) => {
      if (message === null) return Effect.succeed(undefined);
      const register = decodeRegister(message.data);
      return register === undefined
        ? Effect.fail(unavailable(partition, "its register does not decode: was it written by another version?"))
        : Effect.succeed({ register, sequence: message.seq });
    }),
  );

const claim = Effect.fn("Checkpoints.claim")(function* (
  store: Store,
  partition: number,
  owner: string,
  log: { readonly incarnation: string; readonly lastSequence: number },
): Effect.fn.Return<Claim, Fenced | CheckpointUnavailable> {
  const found = yield* readRegister(store, partition);
  if (found === undefined && log.lastSequence > 0) {
    return yield* unavailable(
      partition,
      `its log holds ${log.lastSequence} messages but there is no register: where delivery stopped is not known. If CTL was lost, restore it; to start over, delete the LOG stream.`,
    );
  }
  const before = found?.register;
  const register: Register = {
    owner,
    epoch: (before?.epoch ?? 0) + 1,
    nonce: randomBytes(8).toString("hex"),
    scan: before?.scan ?? 0,
    incarnation: before?.incarnation ?? log.incarnation,
    snapshot: before?.snapshot ?? 0,
    writers: before?.writers ?? {},
    duplicates: before?.duplicates ?? [],
    lowWater: before?.lowWater ?? 0,
    receipted: before?.receipted,
  };
  const taken = yield* guardedWrite(store, partition, { register, sequence: found?.sequence ?? 0 }, [], false);
  // Read after the take-over: no other owner can change a row from here on.
  const { damaged, rows } = yield* readAll(store, partition, taken.sequence);
  let current: Held = taken;
  const oneAtATime = yield* Semaphore.make(1);
  return {
    register,
    rows,
    damaged,
    write: (checkpoint) =>
      oneAtATime.withPermits(1)(
        Effect.gen(function* () {
          for (const { messages, register: next } of inBatches(store, partition, current.register, checkpoint)) {
            current = yield* guardedWrite(
              store,
              partition,
              { register: next, sequence: current.sequence },
              messages,
              true,
            );
          }
        }),
      ),
  };
});

/**
 * The register changes in the last batch only: before that, rows that its `scan` and low-water mark passed may not be
 * written yet. A row and the receipts of its job stay together: the one without the other would book a loss that
 * nobody was told of, or tell of one twice.
 */
const inBatches = (store: Store, partition: number, before: Register, { receipts, register, rows }: Checkpoint) => {
  const receiptsOf = Map.groupBy(receipts, ({ job }) => job);
  const write = (receipt: Receipt): StreamMessage => ({
    subject: subjectOf(partition, receipt),
    data: encodeControl(receipt),
  });
  const groups = rows.map((row): ReadonlyArray<StreamMessage> => {
    const own = receiptsOf.get(row.job) ?? [];
    receiptsOf.delete(row.job);
    return [...own.map(write), { subject: rowSubject(partition, row.job), data: encodeControl(row) }];
  });
  const others = [...receiptsOf.values()].flat().map((receipt) => [write(receipt)]);
  // With the register: who reads the log again from before what they tell of may find a job for it by then.
  const batches = pack([...groups, ...others], store);
  return batches.map((messages, i) => ({ messages, register: i === batches.length - 1 ? register : before }));
};

const subjectOf = (partition: number, { customer, dataset, firstSequence, job, reason }: Receipt): string =>
  reason === "unclaimed"
    ? unclaimedSubject(partition, customer, dataset, firstSequence)
    : receiptSubject(partition, job, firstSequence, reason);

/** Groups in order, as many to a batch as fit; only one that is too large by itself is cut. */
const pack = (groups: ReadonlyArray<ReadonlyArray<StreamMessage>>, { options }: Store) => {
  const size = options.checkpointRowsMax;
  const batches: Array<Array<StreamMessage>> = [[]];
  for (const group of groups) {
    if (batches.at(-1)!.length > 0 && batches.at(-1)!.length + group.length > size) batches.push([]);
    for (const message of group) {
      if (batches.at(-1)!.length >= size) batches.push([]);
      batches.at(-1)!.push(message);
    }
  }
  return batches;
};

/** One batch: the register first, guarded by its own last sequence. Every write carries a fresh nonce. */
const guardedWrite = Effect.fnUntraced(function* (
  store: Store,
  partition: number,
  { register, sequence }: Held,
  messages: ReadonlyArray<StreamMessage>,
  /** Whether the epoch is ours already; while claiming it, another claimant may win the same number. */
  held: boolean,
): Effect.fn.Return<Held, Fenced | CheckpointUnavailable> {
  const nonce = randomBytes(8).toString("hex");
  const written = { ...register, nonce };
  const subject = registerSubject(partition);
  const batch = [{ subject, data: encodeControl(written) }, ...messages];
  const stored = yield* storeAtomically(store.control, batch, {
    batchId: nonce,
    timeoutMillis: store.options.timeoutMillis,
    guard: { subject, lastSequence: sequence },
  }).pipe(
    Effect.map(({ sequence: last }) => last - messages.length),
    Effect.catchTag("StreamRefused", ({ code, description }) =>
      code === apiCodes.wrongLastSequence
        ? Effect.succeed(undefined)
        : Effect.fail(unavailable(partition, description)),
    ),
    Effect.catchTag("StreamSilent", () => Effect.succeed(undefined)),
  );
  if (stored !== undefined) return { register: written, sequence: stored };
  // Refused or no answer: an earlier write of ours may have landed, or somebody else holds the register.
  const now = yield* readRegister(store, partition);
  if (now?.register.nonce === nonce) return now;
  if ((now?.sequence ?? 0) === sequence) return yield* unavailable(partition, "the write did not land");
  // An epoch has one winner, so this is a write of ours that we had given up on and that landed late: what we write now
  // is newer than it. The next attempt is guarded by its sequence.
  if (now !== undefined && held && now.register.epoch === register.epoch && now.register.owner === register.owner) {
    return yield* guardedWrite(store, partition, { register, sequence: now.sequence }, messages, held);
  }
  return yield* new Fenced({ partition });
});

const rowsAtOnce = 1_000;

/** How often, and how soon, a replica that lags is asked again. */
const lagging = { questionsMax: 100, millis: 50 };

/** @param until a sequence that is known to be in the stream: a replica that ends before it lags, and is asked again */
const readAll = Effect.fnUntraced(function* (store: Store, partition: number, until: number) {
  const { readBytesMax, readMessagesMax, timeoutMillis } = store.options;
  const stream = controlStream(partition);
  const rows = new RowTable();
  const damaged = new Set<string>();
  const receipts: Array<Receipt> = [];
  let register: Register | undefined;
  let early = 0;
  for (let sequence = 1; ;) {
    const messages = yield* directGet(store.control, {
      stream,
      sequence,
      messagesMax: readMessagesMax,
      bytesMax: readBytesMax,
      timeoutMillis: timeoutMillis * 2,
    }).pipe(Effect.mapError(({ detail }) => unavailable(partition, detail)));
    for (const [i, message] of messages.entries()) {
      // A page takes long to decode; whoever else has something to do is next.
      if (i % rowsAtOnce === 0) yield* Effect.yieldNow;
      const kind = controlKindOf(message.subject);
      if (kind === "register") register = decodeRegister(message.data);
      if (kind === "receipt") receipts.push(...present(decodeReceipt(message.data)));
      if (kind !== "job") continue;
      const row = decodeRow(message.data);
      if (row !== undefined) rows.put(row);
      else damaged.add(jobOfRow(message.subject));
    }
    const last = messages.at(-1);
    if (last === undefined && sequence > until) return { register, rows, receipts, damaged };
    if (last === undefined) {
      early += 1;
      if (early > lagging.questionsMax) return yield* unavailable(partition, "a replica of its control stream lags");
      yield* Effect.sleep(lagging.millis);
      continue;
    }
    // What a later message of the same row says is read later, from whichever replica: it takes the earlier one's
    // place.
    sequence = last.sequence + 1;
  }
});

const present = <A>(value: A | undefined): ReadonlyArray<A> => (value === undefined ? [] : [value]);

/**
 * Writes the first register of a partition whose log is still empty, before anything is stored: afterwards a log with
 * content and without a register means that the register was lost.
 */
export const seedRegister = Effect.fn("Checkpoints.seedRegister")(function* (
  partition: number,
  log: { readonly incarnation: string; readonly lastSequence: number },
  timeoutMillis: number,
) {
  const { control } = yield* Nats;
  if (log.lastSequence > 0) return;
  const subject = registerSubject(partition);
  const register: Register = {
    owner: null,
    epoch: 0,
    nonce: randomBytes(8).toString("hex"),
    scan: 0,
    incarnation: log.incarnation,
    snapshot: 0,
    writers: {},
    duplicates: [],
    lowWater: 0,
  };
  yield* storeAtomically(control, [{ subject, data: encodeControl(register) }], {
    batchId: register.nonce,
    timeoutMillis,
    guard: { subject, lastSequence: 0 },
  }).pipe(
    Effect.asVoid,
    // Somebody was first.
    Effect.catchTag("StreamRefused", (refused) =>
      refused.code === apiCodes.wrongLastSequence ? Effect.void : Effect.fail(refused),
    ),
    Effect.mapError(({ _tag, ...rest }) =>
      unavailable(partition, "detail" in rest ? rest.detail : `${_tag}: ${rest.description}`),
    ),
  );
});
