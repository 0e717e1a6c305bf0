import { Clock, Effect } from "effect";
import type { Buffer } from "../actors/buffer/buffer.ts";
import type { Owned } from "../actors/partition/own.ts";
import { skipTo } from "../actors/partition/skip.ts";
import { briefOf } from "../actors/ports/jobs.ts";
import type { Log } from "../actors/ports/log.ts";
import type { BufferCommand, CommandAnswer, CommandReport } from "../domain/buffer-command.ts";

/**
 * Carries a person's command out on a buffer of this node.
 *
 * @param owned the partition of the job, which this node owns
 */
export const runBufferCommand = Effect.fn("node.runBufferCommand")(function* (
  { state }: Pick<Owned, "state">,
  { command, job, to }: BufferCommand,
  options: { readonly readBytesMax: number },
): Effect.fn.Return<CommandAnswer, never, Log> {
  const brief = briefOf(state.jobs, job);
  if (brief === undefined) return { _tag: "NotFound" };
  // One that hibernates wakes up for it.
  if (!state.buffers.has(job)) state.dealtTo(brief.pairKey, state.position + 1);
  const buffer = state.buffers.get(job);
  if (buffer === undefined) {
    return refusal("The buffer waits for a place in memory (residentBuffersMax): try again in a moment.");
  }
  const before = buffer.actor?.delivery();
  if (before === undefined)
    return refusal("The buffer has crashed and is about to start again: try again in a moment.");
  if (before === "draining") return refusal("The node is about to end: ask the one that takes the partition over.");
  const done = (skipped: CommandReport["skipped"]): CommandAnswer => ({
    _tag: "Done",
    report: {
      job,
      before,
      after: buffer.actor?.delivery() ?? "restarting",
      backlogRecords: buffer.ledger.pendingRecords,
      backlogBytes: buffer.ledger.pendingBytes,
      skipped,
    },
  });
  if (command === "skip") {
    return yield* skipTo(state, buffer, to ?? "now", options).pipe(
      Effect.map((receipt) => done(receipt === undefined ? null : passed(receipt))),
      Effect.catchTags({
        CannotSkip: ({ reason }) =>
          Effect.succeed<CommandAnswer>({ _tag: "Refused", code: "cannot_skip", detail: `Cannot skip: ${reason}.` }),
        LogUnavailable: ({ detail }) =>
          Effect.succeed<CommandAnswer>({ _tag: "Unavailable", detail: `The log cannot be read: ${detail}` }),
      }),
    );
  }
  yield* Effect.logWarning(`Somebody says ${command} to a buffer.`, { job, before });
  if (command === "resume") buffer.resume();
  else if (before !== "quarantined") yield* isolate(buffer);
  return done(null);
});

const isolate = Effect.fnUntraced(function* (buffer: Buffer) {
  const millis = yield* Clock.currentTimeMillis;
  const batch = buffer.actor?.context().batch;
  buffer.quarantine({
    millis,
    event: "buffer.quarantine",
    error: "quarantined by a person",
    firstSequence: batch?.first,
    lastSequence: batch?.last,
    crashes: buffer.crashes,
  });
});

const refusal = (detail: string): CommandAnswer => ({ _tag: "Refused", code: "not_now", detail });

const passed = (receipt: NonNullable<CommandReport["skipped"]>): CommandReport["skipped"] => ({
  firstSequence: receipt.firstSequence,
  lastSequence: receipt.lastSequence,
  records: receipt.records,
  bytes: receipt.bytes,
  millis: receipt.millis,
});
