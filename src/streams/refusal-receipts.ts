import { Clock, Effect, Random } from "effect";
import type { Receipt } from "../actors/ports/checkpoints.ts";
import { storeAtomically } from "./atomic-batch.ts";
import { encodeControl } from "./checkpoint-codec.ts";
import { Nats } from "./nats.ts";
import { ReceiptsUnavailable } from "./receipts.ts";
import { refusalSubject } from "./subjects.ts";

/** A receipt of the door. */
type Refusal = Receipt & { readonly refusal: NonNullable<Receipt["refusal"]> };

/**
 * Stores receipts of refusals beside those of a partition's push jobs, at most 1,000 at once, without being its owner:
 * they change no row. A subject keeps one message, and is the same for the same receipt: a repeat makes no second one.
 */
export const makeRefusalReceipts = Effect.fnUntraced(function* (timeoutMillis: number) {
  const { control } = yield* Nats;
  return Effect.fn("RefusalReceipts.store")(function* (
    partition: number,
    receipts: ReadonlyArray<Refusal>,
  ): Effect.fn.Return<void, ReceiptsUnavailable> {
    const messages = receipts.map((receipt) => ({
      subject: refusalSubject(partition, receipt.customer, receipt.dataset, receipt.refusal),
      data: encodeControl(receipt),
    }));
    // Names the attempt only; the subjects make a repeat harmless.
    const batchId = `refused-${yield* Clock.currentTimeMillis}-${yield* Random.nextInt}`;
    yield* storeAtomically(control, messages, { batchId, timeoutMillis }).pipe(
      Effect.mapError(
        (error) => new ReceiptsUnavailable({ detail: "detail" in error ? error.detail : error.description }),
      ),
    );
  });
});
