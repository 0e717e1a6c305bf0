import { Clock, DateTime, Effect, Option, Schedule } from "effect";
import { Owner } from "../actors/owner.ts";
import type { Receipt } from "../actors/ports/checkpoints.ts";
import { ApiUnavailable } from "../api/ports.ts";
import { InvalidReceiptQuery, type ReceiptsInput, ReceiptsView } from "../api/receipts-port.ts";
import { isId } from "../domain/ids.ts";
import { makeReceipts, type ReceiptPlace, type Receipts } from "../streams/receipts.ts";

export interface ReceiptsViewOptions {
  readonly partitions: number;
  readonly readBytesMax: number;
  readonly receiptAgeSecondsMax: number;
}

const answerMillisMax = 5_000;

/** Receipts for the API; those that are too old are removed as long as the scope is open. */
export const makeReceiptsView = Effect.fnUntraced(function* (options: ReceiptsViewOptions) {
  const receipts = yield* makeReceipts({ ...options, timeoutMillis: answerMillisMax });
  yield* Effect.forkScoped(expireReceipts(receipts, options.receiptAgeSecondsMax));
  return ReceiptsView.of({
    list: Effect.fnUntraced(function* (input) {
      const after = input.after === undefined ? undefined : yield* placeOf(input.after);
      const sinceMillis = input.since === undefined ? 0 : yield* timeOf(input.since);
      // What is not an id can have no receipt, and must not become a part of a subject.
      if (input.job !== undefined && !isId(input.job)) return { receipts: [] };
      const { limit, job } = input;
      const page = yield* receipts
        .list({ after, limit, job, matches: (receipt) => matches(receipt, input, sinceMillis) })
        .pipe(
          Effect.mapError(({ detail }) => new ApiUnavailable({ detail: `The receipts cannot be read: ${detail}` })),
        );
      const shown = page.receipts.map(({ partition, receipt }) => ({ partition, ...receipt }));
      return page.next === undefined ? { receipts: shown } : { receipts: shown, next: nameOf(page.next) };
    }),
  });
});

const matches = (receipt: Receipt, { customer, dataset, reason }: ReceiptsInput, sinceMillis: number): boolean =>
  receipt.millis >= sinceMillis &&
  (customer === undefined || receipt.customer === customer) &&
  (dataset === undefined || receipt.dataset === dataset) &&
  (reason === undefined || receipt.reason === reason);

const nameOf = ({ partition, sequence }: ReceiptPlace): string => `${partition}-${sequence}`;

const placeOf = (text: string): Effect.Effect<ReceiptPlace, InvalidReceiptQuery> => {
  const [, partition, sequence] = /^(\d{1,4})-(\d{1,15})$/.exec(text) ?? [];
  return partition === undefined || sequence === undefined
    ? Effect.fail(new InvalidReceiptQuery({ detail: "after: must be the next of another page" }))
    : Effect.succeed({ partition: Number(partition), sequence: Number(sequence) });
};

const timeOf = (text: string): Effect.Effect<number, InvalidReceiptQuery> => {
  // A date alone or one without a zone would mean another moment on another machine.
  const time = /T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(text) ? DateTime.make(text) : Option.none();
  return Option.isSome(time)
    ? Effect.succeed(DateTime.toEpochMillis(time.value))
    : Effect.fail(
        new InvalidReceiptQuery({ detail: "since: must be a time with its zone such as 2026-11-23T07:00:00Z" }),
      );
};

/** Slowly: a receipt that stays an hour longer hurts nobody. Each node does it for what it owns. */
const expireReceipts = Effect.fnUntraced(function* (receipts: Receipts, ageSecondsMax: number) {
  const owner = yield* Owner;
  const secondsBetween = Math.min(3_600, Math.max(10, ageSecondsMax / 60));
  const once = Effect.gen(function* () {
    const before = (yield* Clock.currentTimeMillis) - ageSecondsMax * 1_000;
    for (const partition of owner.owned().keys()) {
      const removed = yield* receipts.expire(partition, before);
      if (removed > 0) yield* Effect.logInfo("Old receipts are removed.", { partition, removed });
    }
  });
  yield* once.pipe(
    Effect.catchTag("ReceiptsUnavailable", ({ detail }) =>
      Effect.logWarning("Old receipts could not be removed; it is tried again.", { detail }),
    ),
    Effect.repeat(Schedule.spaced(secondsBetween * 1_000)),
  );
});
