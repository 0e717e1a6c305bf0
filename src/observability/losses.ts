import { Context, Effect, Layer, Metric } from "effect";
import { recordsMissingTotal } from "./delivery-metrics.ts";
import { notServedTotal } from "./ingest-metrics.ts";
import { recordsWrittenOff } from "./sweep-metrics.ts";

/** Receipts of records that nobody gave up on purpose. The rule `recordsLost` asks Prometheus for the same. */
export const lossReasons = ["expired", "shed", "logLost", "unclaimed"] as const;

/** Of this process. */
export const lostInAll = Effect.gen(function* () {
  let records = (yield* Metric.value(recordsMissingTotal)).count;
  for (const reason of lossReasons) records += (yield* Metric.value(recordsWrittenOff(reason))).count;
  return records;
});

export const unwantedInAll = Effect.map(Metric.value(notServedTotal), ({ count }) => count);

/**
 * What was lost before this node began. Counted before anything of it runs: a partition may find its log gone, or its
 * records expired, long before the first alert is judged.
 */
export class LossesBefore extends Context.Service<LossesBefore, { readonly lost: number; readonly unwanted: number }>()(
  "spillway/observability/LossesBefore",
) {
  static readonly layer = Layer.effect(
    LossesBefore,
    Effect.gen(function* () {
      // A counter that begins with its first loss has no increase that Prometheus could see.
      for (const reason of lossReasons) yield* Metric.update(recordsWrittenOff(reason), 0);
      yield* Metric.update(recordsMissingTotal, 0);
      yield* Metric.update(notServedTotal, 0);
      return LossesBefore.of({ lost: yield* lostInAll, unwanted: yield* unwantedInAll });
    }),
  );
}
