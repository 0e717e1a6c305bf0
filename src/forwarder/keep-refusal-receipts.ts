import { Clock, Effect } from "effect";
import type { RefusalPeriods, RefusalReceipt } from "./refusal-periods.ts";

/** Stores receipts of one partition; a repeat of the same leaves one of each. */
export type StoreRefusals<E> = (partition: number, receipts: ReadonlyArray<RefusalReceipt>) => Effect.Effect<void, E>;

/** How often periods are looked at, and what could not be stored is tried again. */
const lookMillis = 5_000;
/** In one turn, and in one write. */
const turnReceiptsMax = 4_000;
const writeReceiptsMax = 500;
/** When a node ends, it tries for so long to store its last receipts, and no longer. */
const lastMillisMax = 5_000;
const lastRetryMillis = 250;

/**
 * Stores the receipts of refusals as long as the scope is open. The door never waits for it.
 *
 * @returns `finish`: ends every period and stores what there is, once the door is closed
 */
export const keepRefusalReceipts = Effect.fnUntraced(function* <E extends { readonly detail: string }>(
  periods: RefusalPeriods,
  store: StoreRefusals<E>,
) {
  const write = (partition: number, receipts: ReadonlyArray<RefusalReceipt>) =>
    store(partition, receipts).pipe(
      Effect.andThen(Effect.sync(() => periods.stored(receipts))),
      // One partition that cannot be written must not keep the others' receipts waiting.
      Effect.catch(({ detail }) =>
        Effect.logWarning("Receipts of refusals are not stored yet; it is tried again.", { partition, detail }),
      ),
    );
  /** Answers how many there were to store. */
  const turn = Effect.fnUntraced(function* (everything: boolean) {
    const due = periods.due(yield* Clock.currentTimeMillis, turnReceiptsMax, everything);
    for (const [partition, receipts] of Map.groupBy(due, (receipt) => receipt.partition)) {
      for (let at = 0; at < receipts.length; at += writeReceiptsMax) {
        yield* write(partition, receipts.slice(at, at + writeReceiptsMax));
      }
    }
    return due.length;
  });
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookMillis), turn(false))));
  const last = Effect.gen(function* () {
    // What was refused behind a receipt that was waiting ends when that one is stored.
    while ((yield* turn(true)) > 0) yield* Effect.sleep(periods.waiting() > 0 ? lastRetryMillis : 0);
  });
  const finish = last.pipe(
    Effect.timeoutOption(lastMillisMax),
    Effect.andThen(
      Effect.suspend(() => {
        const lost = periods.waiting();
        return lost === 0 ? Effect.void : Effect.logError("Receipts of refusals could not be stored.", { lost });
      }),
    ),
  );
  return { finish };
});
