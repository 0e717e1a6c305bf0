import { Schema } from "effect";
import type { Snapshot } from "xstate";
import { type BufferContext, type BufferInput, bufferMachine } from "./machine.ts";

const Tally = Schema.Struct({ records: Schema.Int, bytes: Schema.Int });

/**
 * What a row keeps of a buffer's actor: enough that a restart goes on with the same batch, the same part of it, the
 * same attempt number and the same deadline, and that what was isolated stays so. An idle actor needs nothing.
 */
const Saved = Schema.Struct({
  version: Schema.Literal(2),
  delivery: Schema.Literals(["pushing", "backingOff", "suspended", "bisecting", "deadLettering", "quarantined"]),
  context: Schema.Struct({
    batch: Schema.NullOr(
      Schema.Struct({
        first: Schema.Int,
        last: Schema.Int,
        records: Schema.Int,
        bytes: Schema.Int,
        startMillis: Schema.Number,
        endMillis: Schema.Number,
        closedBy: Schema.Literals(["size", "time", "cut"]),
      }),
    ),
    failures: Schema.Int,
    failuresSinceRevised: Schema.Int,
    ambiguous: Schema.Boolean,
    retryAtMillis: Schema.Number,
    backoffMillis: Schema.Number,
    revised: Schema.Boolean,
    bisection: Schema.NullOr(
      Schema.Struct({
        done: Schema.Int,
        size: Schema.Int,
        suspectTo: Schema.NullOr(Schema.Int),
        delivered: Tally,
        dead: Tally,
        deadInRow: Schema.Int,
      }),
    ),
    refusal: Schema.NullOr(
      Schema.Struct({ reason: Schema.String, detail: Schema.String, status: Schema.NullOr(Schema.Int) }),
    ),
  }).check(
    Schema.makeFilter(
      // In every other state than these two the batch is what it is about.
      ({ batch, bisection }) => batch !== null || bisection === null,
    ),
  ),
}).check(
  Schema.makeFilter(
    ({ context, delivery }) =>
      (context.batch !== null || delivery === "quarantined") &&
      (context.refusal !== null || (delivery !== "suspended" && delivery !== "deadLettering")),
  ),
);
type Saved = typeof Saved.Type;

/** What it rests in by a row, without starting it; undefined: nothing is in the balance, or it does not decode. */
export const deliveryOf = (saved: unknown): Saved["delivery"] | undefined =>
  // Most rows have none.
  saved !== undefined && Schema.is(Saved)(saved) ? saved.delivery : undefined;

/** undefined: nothing is in the balance. */
export const saveSnapshot = (delivery: string, context: BufferContext): Saved | undefined => {
  if (context.batch === null && delivery !== "quarantined") return undefined;
  const { ambiguous, backoffMillis, batch, failures, failuresSinceRevised, retryAtMillis, revised } = context;
  const { bisection, refusal } = context;
  return {
    version: 2,
    // A drained push may have landed: it is begun again, like one that the process died in.
    delivery: isResting(delivery) ? delivery : "pushing",
    context: {
      ambiguous,
      backoffMillis,
      batch,
      bisection,
      failures,
      failuresSinceRevised,
      refusal,
      retryAtMillis,
      revised,
    },
  };
};

const isResting = (delivery: string): delivery is Saved["delivery"] =>
  delivery === "backingOff" ||
  delivery === "suspended" ||
  delivery === "bisecting" ||
  delivery === "deadLettering" ||
  delivery === "quarantined";

/**
 * The machine's snapshot to start from. What does not decode, or is of another version, starts the actor anew from the
 * row's cursor instead of crashing the node: the attempt number is lost, no record is.
 *
 * @param pending whether the row has records that may have been pushed before the crash without a trace
 * @param revised whether a newer revision waits: then so may records that the row does not know of
 */
export const restoreSnapshot = (
  saved: unknown,
  input: BufferInput,
  pending: boolean,
  revised: boolean,
): Snapshot<unknown> => {
  const known = Schema.is(Saved)(saved) ? saved : undefined;
  const initial: BufferContext = {
    ...input,
    batch: null,
    failures: 0,
    failuresSinceRevised: 0,
    ambiguous: pending || revised,
    retryAtMillis: 0,
    backoffMillis: 0,
    revised,
    bisection: null,
    refusal: null,
  };
  return bufferMachine.resolveState({
    value: { flow: pending ? "backpressured" : "live", delivery: known?.delivery ?? "idle" },
    context:
      known === undefined ? initial : { ...initial, ...known.context, revised: revised || known.context.revised },
  });
};

/** A buffer that is started isolated: after too many crashes nothing that it held is trusted. */
export const quarantinedSnapshot = (input: BufferInput, pending: boolean, revised: boolean): Snapshot<unknown> => {
  const anew = restoreSnapshot(undefined, input, pending, revised) as ReturnType<typeof bufferMachine.resolveState>;
  return bufferMachine.resolveState({
    value: { flow: pending ? "backpressured" : "live", delivery: "quarantined" },
    context: anew.context,
  });
};
