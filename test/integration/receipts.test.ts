import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import type { Receipt, ReceiptReason } from "../../src/actors/ports/checkpoints.ts";
import { storeAtomically } from "../../src/streams/atomic-batch.ts";
import { encodeControl } from "../../src/streams/checkpoint-codec.ts";
import { Nats } from "../../src/streams/nats.ts";
import { makeReceipts, type ReceiptPlace } from "../../src/streams/receipts.ts";
import { receiptSubject, rowSubject } from "../../src/streams/subjects.ts";
import { claimAs, inspect, rowOf, withStores } from "../support/nats-checkpoints.ts";
import { describeNats } from "../support/nats-variants.ts";
import { layerNats, layerStores, limits, prepareStreams, quiet } from "../support/world.ts";

const partitions = 2;
/** What a real partition may hold beside its receipts, and what a scan of all of them would take seconds for. */
const rowsBeside = 20_000;

const receiptOf = (job: string, firstSequence: number, over: Partial<Receipt> = {}): Receipt => ({
  customer: "acme",
  dataset: "http_requests",
  job,
  firstSequence,
  lastSequence: firstSequence + 1,
  records: 2,
  bytes: 20,
  reason: "shed",
  millis: firstSequence,
  ...over,
});

const store = Effect.fnUntraced(function* (partition: number, receipts: ReadonlyArray<Receipt>) {
  const { control } = yield* Nats;
  for (const receipt of receipts) {
    const subject = receiptSubject(partition, receipt.job, receipt.firstSequence, receipt.reason);
    yield* storeAtomically(control, [{ subject, data: encodeControl(receipt) }], { batchId: "", timeoutMillis: 2_000 });
  }
});

const storeRows = Effect.fnUntraced(function* (partition: number, from: number, to: number) {
  const { control } = yield* Nats;
  for (let at = from; at < to; at += 1_000) {
    const messages = Array.from({ length: Math.min(1_000, to - at) }, (_, i) => ({
      subject: rowSubject(partition, `job-${at + i}`),
      data: encodeControl(rowOf(at + i)),
    }));
    yield* storeAtomically(control, messages, { batchId: `rows-${partition}-${at}`, timeoutMillis: 10_000 });
  }
});

const open = makeReceipts({ partitions, readBytesMax: limits.readBytesMax, timeoutMillis: 5_000 });
const everything = { after: undefined, limit: 1_000, job: undefined, matches: () => true };

const world = <A, E>(url: string, body: Effect.Effect<A, E, Nats>) =>
  Effect.andThen(Effect.provide(prepareStreams(partitions), layerStores()), body).pipe(
    Effect.provide(layerNats(url)),
    Effect.provide(quiet),
  );

describeNats("receipts", (startNats) => {
  it.live("are listed from among many rows, page by page over the partitions, by job and by what they say", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* world(
        url,
        Effect.gen(function* () {
          yield* store(0, [receiptOf("a", 1), receiptOf("a", 5, { reason: "expired" })]);
          yield* storeRows(0, 0, rowsBeside);
          yield* store(0, [receiptOf("b", 7)]);
          yield* store(1, [receiptOf("c", 2, { customer: "globex" }), receiptOf("a-b", 3)]);
          const receipts = yield* open;
          const begun = performance.now();
          const all = yield* receipts.list(everything);
          const took = performance.now() - begun;
          assert.deepStrictEqual(
            all.receipts.map(({ partition, receipt }) => [partition, receipt.job, receipt.firstSequence]),
            [
              [0, "a", 1],
              [0, "a", 5],
              [0, "b", 7],
              [1, "c", 2],
              [1, "a-b", 3],
            ],
          );
          assert.isUndefined(all.next);
          assert.isBelow(took, 1_000, "the rows are not read");

          const jobs: Array<string> = [];
          let after: ReceiptPlace | undefined;
          let pages = 0;
          do {
            const page = yield* receipts.list({ ...everything, after, limit: 2 });
            assert.isAtMost(page.receipts.length, 2);
            jobs.push(...page.receipts.map(({ receipt }) => receipt.job));
            after = page.next;
            pages += 1;
          } while (after !== undefined);
          assert.deepStrictEqual([jobs, pages], [["a", "a", "b", "c", "a-b"], 3]);

          const ofJob = yield* receipts.list({ ...everything, job: "a" });
          assert.deepStrictEqual(
            ofJob.receipts.map(({ receipt }) => receipt.reason),
            ["shed", "expired"] satisfies Array<ReceiptReason>,
          );
          const matching = yield* receipts.list({ ...everything, matches: ({ customer }) => customer === "globex" });
          assert.deepStrictEqual(
            matching.receipts.map(({ receipt }) => receipt.job),
            ["c"],
          );
        }),
      );
    }).pipe(Effect.scoped),
  );

  it.live("end when they are too old; the register and the rows stay as they are", () =>
    Effect.gen(function* () {
      const { url } = yield* startNats();
      yield* withStores(
        url,
        Effect.gen(function* () {
          const claim = yield* claimAs("owner");
          const rows = [rowOf(0), rowOf(1)];
          const old = [receiptOf("a", 1), receiptOf("b", 2)];
          yield* claim.write({ register: claim.register, rows, receipts: old });
          const before = yield* inspect;
          const receipts = yield* makeReceipts({ partitions: 1, readBytesMax: 1_048_576, timeoutMillis: 5_000 });
          const { receipts: stored } = yield* receipts.list(everything);
          assert.strictEqual(stored.length, 2);
          assert.strictEqual(yield* receipts.expire(0, 1), 0, "none is that old");
          const { control } = yield* Nats;
          const cutoff = yield* newestMillis(control);
          yield* store(0, [receiptOf("a", 9)]);
          assert.strictEqual(yield* receipts.expire(0, cutoff + 1), 2);
          const left = yield* receipts.list(everything);
          assert.deepStrictEqual(
            left.receipts.map(({ receipt }) => receipt.firstSequence),
            [9],
          );
          const after = yield* inspect;
          assert.deepStrictEqual(after.register, before.register);
          assert.deepStrictEqual(after.rows, before.rows);
          assert.strictEqual(yield* receipts.expire(0, Number.MAX_SAFE_INTEGER), 1, "all of them");
          assert.deepStrictEqual((yield* inspect).rows, before.rows);
          // The register still guards: its owner goes on.
          yield* claim.write({ register: { ...claim.register, scan: 3 }, rows: [], receipts: [] });
          assert.strictEqual((yield* inspect).register?.scan, 3);
        }),
      );
    }).pipe(Effect.scoped, Effect.provide(quiet)),
  );
});

/** JetStream's time of the newest receipt, and a moment later than that on its clock. */
const newestMillis = Effect.fnUntraced(function* (control: Nats["Service"]["control"]) {
  const { directGet } = yield* Effect.promise(() => import("../../src/streams/direct-get.ts"));
  const messages = yield* directGet(control, {
    stream: "CTL_000",
    sequence: 1,
    subject: "ctl.000.receipt.>",
    messagesMax: 10,
    bytesMax: 1_048_576,
    timeoutMillis: 5_000,
  });
  yield* Effect.sleep(5);
  return messages.at(-1)!.millis;
});
