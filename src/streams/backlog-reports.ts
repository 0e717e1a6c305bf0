import { Clock, Effect, Layer, Schema } from "effect";
import { Packr, unpack } from "msgpackr";
import { Backlogs, type PartitionReport } from "../actors/ports/backlogs.ts";
import { steadyMillisOf } from "../domain/steady-clock.ts";
import { Nats } from "./nats.ts";
import { ReportBook } from "./report-book.ts";
import { backlogSubject, backlogSubjects } from "./subjects.ts";

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));

const ReportSchema = Schema.Struct({
  partition: Count,
  epoch: Count,
  millis: Schema.Number,
  scanned: Count,
  logFirst: Count,
  logLast: Count,
  logBytes: Count,
  appendedBytes: Count,
  unscannedBytes: Count,
  oldestMillis: Schema.UndefinedOr(Schema.Number),
  refusing: Schema.Array(Schema.String),
});

const packr = new Packr({ useRecords: false });

export const encodeReport = (report: PartitionReport): Uint8Array => packr.pack(report);

/** undefined: not ours, or damaged. */
export const decodeReport = (data: Uint8Array): PartitionReport | undefined => {
  let value: unknown;
  try {
    value = unpack(data);
  } catch {
    return undefined;
  }
  return Schema.is(ReportSchema)(value) ? value : undefined;
};

/** Reports by core NATS: this process knows its own at once, the others soon, and nobody waits for anybody. */
export const layerBacklogs = (options: { readonly partitions: number }): Layer.Layer<Backlogs, never, Nats> =>
  Layer.effect(
    Backlogs,
    Effect.gen(function* () {
      const { connected, control } = yield* Nats;
      const clock = yield* Clock.Clock;
      const book = new ReportBook(options.partitions);
      // By a clock that nobody sets: else an owner would be silent for an hour after ours is set back by one.
      const steadyMillis = () => steadyMillisOf(clock);
      const accept = (report: PartitionReport) => book.accept(report, steadyMillis());
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          control.subscribe(backlogSubjects, {
            callback: (error, message) => {
              const report = error === null ? decodeReport(message.data) : undefined;
              if (report !== undefined) accept(report);
            },
          }),
        ),
        (subscription) => Effect.sync(() => subscription.unsubscribe()),
      );
      const publish = (report: PartitionReport): Effect.Effect<void> =>
        Effect.sync(() => {
          accept(report);
          // Not kept for later: after an outage the next report says more than all that were missed.
          if (connected()) control.publish(backlogSubject(report.partition), encodeReport(report));
        }).pipe(Effect.catchDefect((defect) => Effect.logDebug("A report was not sent.", { defect: String(defect) })));
      return Backlogs.of({ partitions: options.partitions, publish, latest: (partition) => book.latest(partition) });
    }),
  );
