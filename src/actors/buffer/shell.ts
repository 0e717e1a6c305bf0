import { type Context, Effect } from "effect";
import type { DeadLetterInput, PushInput } from "../../domain/push-attempt.ts";
import { deliveryPulse } from "../../observability/delivery-pulse.ts";
import { buffersSuspendedTotal } from "../../observability/delivery-metrics.ts";
import { cancelDeadLetter } from "./dead-letter.ts";
import { bufferMachine } from "./machine.ts";
import { cancelPush, closeDestination, type Running } from "./push.ts";
import { logPush, measurePush } from "./push-report.ts";

/**
 * Fills the machine's holes: what it decides becomes pushes, dead letters, the buffer's state, metrics and log lines.
 * Provided once for the process: `provide` per buffer would cost 13 KB and 70 µs each. What throws in here crashes the
 * actor that it was done for, and nothing else.
 */
export const withShell = (
  running: ReadonlyMap<string, Running>,
  startPush: (each: Running, input: PushInput) => void,
  startDeadLetter: (each: Running, input: DeadLetterInput) => void,
  nowMillis: () => number,
  context: Context.Context<never>,
): typeof bufferMachine => {
  const runFork = Effect.runForkWith(context);
  const of = (job: string): Running => {
    const each = running.get(job);
    if (each === undefined) throw new Error(`${job}: an actor without a buffer`);
    return each;
  };
  return bufferMachine.provide({
    actions: {
      startPush: (_, input) => startPush(of(input.job), input),
      cancelPush: ({ context: { job } }) => cancelPush(of(job)),
      startDeadLetter: (_, input) => startDeadLetter(of(input.job), input),
      cancelDeadLetter: ({ context: { job } }) => cancelDeadLetter(of(job)),
      wantRow: ({ context: { job } }) => of(job).buffer.wantRow(),
      reportPush: ({ context: { job } }, report) => {
        const { buffer } = of(job);
        buffer.finished(report.answer);
        measurePush(buffer, report, context);
        const { outcome, written } = report.answer;
        deliveryPulse.note(buffer.newest.job, outcome._tag === "Delivered", written);
        runFork(logPush(buffer, report));
      },
      reportSettled: ({ context: { job } }, { batch, bisection }) =>
        of(job).buffer.settle(batch, bisection, nowMillis()),
      reportAbandoned: ({ context: { job } }, { ambiguous, batch }) => {
        if (!ambiguous) return;
        const text = "A batch is cut anew under a new revision; the destination may hold it already.";
        runFork(Effect.logWarning(text, { job, first: batch.first, last: batch.last }));
        of(job).buffer.noteDoubt(batch, nowMillis());
      },
      reportAdoptable: ({ context: { job } }) => {
        const each = of(job);
        each.buffer.adoptNewest();
        runFork(closeDestination(each));
      },
      reportSuspended: ({ context: { job } }, { detail, reason, status }) => {
        const { buffer } = of(job);
        buffersSuspendedTotal.updateUnsafe(1, context);
        runFork(
          Effect.logError("A push job is suspended: its settings or its destination must be mended.", {
            job,
            customer: buffer.newest.job.customer,
            dataset: buffer.newest.job.dataset,
            destination: buffer.newest.job.destination.kind,
            reason,
            status: status ?? undefined,
            detail,
          }),
        );
        buffer.standStill();
      },
      reportQuarantined: ({ context: { job } }) => of(job).buffer.standStill(),
      reportResumed: ({ context: { job } }) => of(job).buffer.goOn(),
    },
  });
};
