import { Schema } from "effect";
import type { Snapshot } from "xstate";
import { type BufferContext, type BufferInput, bufferMachine } from "./machine.ts";

/**
 * What a row keeps of a buffer's actor: enough that a restart goes on with the same batch, the same attempt number and
 * the same deadline. An idle actor needs nothing.
 */
const Saved = Schema.Struct({
  version: Schema.Literal(1),
  delivery: Schema.Literals(["pushing", "backingOff"]),
  context: Schema.Struct({
    batch: Schema.Struct({
      first: Schema.Int,
      last: Schema.Int,
      records: Schema.Int,
      bytes: Schema.Int,
      startMillis: Schema.Number,
      endMillis: Schema.Number,
      closedBy: Schema.Literals(["size", "time", "cut"]),
    }),
    failures: Schema.Int,
    failuresSinceRevised: Schema.Int,
    ambiguous: Schema.Boolean,
    retryAtMillis: Schema.Number,
    backoffMillis: Schema.Number,
    revised: Schema.Boolean,
  }),
});
type Saved = typeof Saved.Type;

/** undefined: nothing is in the balance. */
export const saveSnapshot = (delivery: string, context: BufferContext): Saved | undefined => {
  if (context.batch === null) return undefined;
  const { ambiguous, backoffMillis, batch, failures, failuresSinceRevised, retryAtMillis, revised } = context;
  return {
    version: 1,
    // A drained push may have landed: it is begun again, like one that the process died in.
    delivery: delivery === "backingOff" ? "backingOff" : "pushing",
    context: { ambiguous, backoffMillis, batch, failures, failuresSinceRevised, retryAtMillis, revised },
  };
};

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
  };
  return bufferMachine.resolveState({
    value: { flow: pending ? "backpressured" : "live", delivery: known?.delivery ?? "idle" },
    context:
      known === undefined ? initial : { ...initial, ...known.context, revised: revised || known.context.revised },
  });
};
