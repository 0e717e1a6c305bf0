import { Cause, Clock, Effect, Exit, Random, Result } from "effect";
import type { DeadLetterInput } from "../../domain/push-attempt.ts";
import { DeadLetterWriter } from "./dead-letter-writer.ts";
import type { Running } from "./push.ts";

/** Interrupts the write: the letter is stored again, to no effect, when it had landed. */
export const cancelDeadLetter = (each: Running): void => {
  const { letter } = each;
  each.letter = undefined;
  letter?.interruptUnsafe();
};

/** Fills the machine's hole `startDeadLetter`: store the refused record, and tell the actor what came of it. */
export const makeStartDeadLetter = Effect.fnUntraced(function* (): Effect.fn.Return<
  (each: Running, input: DeadLetterInput) => void,
  never,
  DeadLetterWriter
> {
  const writer = yield* DeadLetterWriter;
  const clock = yield* Clock.Clock;
  const random = yield* Random.Random;
  const runFork = Effect.runForkWith(yield* Effect.context());

  return (each, input) => {
    const { buffer } = each;
    const { customer, dataset } = buffer.newest.job;
    const { isDuplicate, partition } = buffer;
    const writing = writer
      .write({ ...input, customer, dataset, partition, incarnation: each.incarnation, isDuplicate })
      .pipe(Effect.tap(() => Effect.logWarning("A record became a dead letter.", describe(input))));
    const fiber = runFork(writing);
    const letter = fiber as unknown as NonNullable<Running["letter"]>;
    each.letter = letter;
    fiber.addObserver((exit) => {
      // Another one may be under way: this one was given up.
      if (each.letter !== letter) return;
      each.letter = undefined;
      const moment = { nowMillis: clock.currentTimeMillisUnsafe(), jitter: random.nextDoubleUnsafe() };
      if (Exit.isSuccess(exit)) {
        buffer.actor?.send({ type: "deadLetter.stored", written: exit.value, ...moment });
        return;
      }
      const failure = Cause.findError(exit.cause);
      if (Result.isSuccess(failure)) {
        buffer.actor?.send({ type: "deadLetter.refused", detail: failure.success.detail, ...moment });
      } else {
        buffer.actor?.send({ type: "deadLetter.died", cause: exit.cause });
      }
    });
  };
});

const describe = ({ batch, index, job, refusal }: DeadLetterInput) => ({
  job,
  batch: `${batch.first}-${batch.last}`,
  index,
  reason: refusal.reason,
  detail: refusal.detail,
});
