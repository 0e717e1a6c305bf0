import { Clock, Effect, Schema } from "effect";
import { steadyMillisOf } from "../domain/steady-clock.ts";
import { attempt, Nats, type NatsError } from "./nats.ts";
import { configControlSubject, configNodeSubject, configNodeSubjects } from "./subjects.ts";

const Count = Schema.Int;

/** Pushes and buffers of jobs that are not what they were before the rollout: new, gone, or with other settings. */
const ChangedSignals = Schema.Struct({
  attempts: Count,
  failures: Count,
  attemptsBefore: Count,
  failuresBefore: Count,
  buffers: Count,
  buffersBefore: Count,
});
export type ChangedSignals = typeof ChangedSignals.Type;

/** How it goes for the customers that a rollout has reached, lately and before the rollout. */
export const NodeSignals = Schema.Struct({
  /** Of the snapshot that was served meanwhile. */
  number: Count,
  // Of jobs that are as they were.
  deliveredPerSecond: Schema.Finite,
  deliveredPerSecondBefore: Schema.Finite,
  attempts: Count,
  failures: Count,
  attemptsBefore: Count,
  failuresBefore: Count,
  backlogBytes: Schema.Finite,
  backlogBytesBefore: Schema.Finite,
  buffers: Count,
  buffersBefore: Count,
  /** Absent in what earlier versions say: there it is all in the above. */
  changed: Schema.optionalKey(ChangedSignals),
});
export type NodeSignals = typeof NodeSignals.Type;

/** What a node says of its configuration, once a second and after each change. Core NATS, not stored. */
export const NodeReport = Schema.Struct({
  node: Schema.String,
  serves: Schema.NullOr(Schema.Struct({ number: Count, hash: Schema.String })),
  refused: Schema.NullOr(Schema.Struct({ number: Count, rule: Schema.String, message: Schema.String })),
  signals: Schema.NullOr(NodeSignals),
  /** Now and then: bytes a second that it delivered lately, by segment of the customers. */
  traffic: Schema.optionalKey(Schema.Array(Schema.Tuple([Count, Schema.Finite]))),
  /** What it does in the cluster; absent: it may be anything. */
  roles: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Its last word: it ends as it was told to. Who dies does not say so. */
  leaving: Schema.optionalKey(Schema.Boolean),
});
export type NodeReport = typeof NodeReport.Type;

const decodeReport = Schema.decodeUnknownOption(Schema.fromJsonString(NodeReport));
/** What is only looked at is there at once. */
const answerMillisMax = 5_000;
const flushMillisMax = 500;

/** Never waits and never fails: the next report says more. */
export const sendNodeReport = Effect.fnUntraced(function* (report: NodeReport) {
  const { connected, control } = yield* Nats;
  yield* Effect.sync(() => {
    if (connected()) control.publish(configNodeSubject(report.node), JSON.stringify(report));
  }).pipe(Effect.catchDefect(() => Effect.void));
});

/** A connection that is closed next may not have sent what was published; one that is gone is not waited for. */
export const flushNodeReports = Effect.gen(function* () {
  const { connected, control } = yield* Nats;
  if (!connected()) return;
  yield* Effect.promise(() => control.flush()).pipe(
    // Else, in a finalizer, no timeout would end the wait.
    Effect.interruptible,
    Effect.timeoutOption(flushMillisMax),
    Effect.catchCause(() => Effect.void),
  );
});

/** Calls `accept` with each report, and the steady time, for as long as the scope lives. */
export const receiveNodeReports = Effect.fnUntraced(function* (accept: (report: NodeReport, millis: number) => void) {
  const { control } = yield* Nats;
  const clock = yield* Clock.Clock;
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      control.subscribe(configNodeSubjects, {
        callback: (error, message) => {
          if (error !== null) return;
          const report = decodeReport(message.string());
          if (report._tag === "Some") accept(report.value, steadyMillisOf(clock));
        },
      }),
    ),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  );
});

/** Asks whoever leads; the answer is JSON. Fails when nobody does, at once, or has not answered in time. */
export const askControl = Effect.fnUntraced(function* (
  command: unknown,
  millisMax = answerMillisMax,
): Effect.fn.Return<unknown, NatsError, Nats> {
  const { control } = yield* Nats;
  const answer = yield* attempt("read", () =>
    control.request(configControlSubject, JSON.stringify(command), { timeout: millisMax }),
  );
  return yield* attempt("read", async () => answer.json<unknown>());
});

/** Answers for as long as the scope lives. `answer` must not fail. */
export const answerControl = Effect.fnUntraced(function* <R>(
  answer: (command: unknown) => Effect.Effect<unknown, never, R>,
) {
  const { control } = yield* Nats;
  const context = yield* Effect.context<R>();
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      control.subscribe(configControlSubject, {
        callback: (error, message) => {
          if (error !== null) return;
          let command: unknown;
          try {
            command = message.json();
          } catch {
            return;
          }
          Effect.runForkWith(context)(
            Effect.map(answer(command), (value) => void message.respond(JSON.stringify(value))),
          );
        },
      }),
    ),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  );
});
