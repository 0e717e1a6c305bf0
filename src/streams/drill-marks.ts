import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Clock, Effect, Schema } from "effect";
import type { Limits } from "../domain/limits.ts";
import { despiteOthers } from "./create-stream.ts";
import { directGet } from "./direct-get.ts";
import { attempt, Nats, NatsError } from "./nats.ts";
import { drillsBucket } from "./subjects.ts";

/** When a drill last drove the system into a limit, and which. */
export const DrillMark = Schema.Struct({ drill: Schema.String, millis: Schema.Finite });
export type DrillMark = typeof DrillMark.Type;

const stream = `KV_${drillsBucket}`;
const subjectPrefix = `$KV.${drillsBucket}.`;
const answerMillisMax = 2_000;
/** One per limit: far more than there are. */
const marksMax = 1_000;
const markBytesMax = 1_024;

/** Notes that a drill has just seen a limit do its work. The bucket is made by the first. */
export const markExercised = Effect.fn("DrillMarks.markExercised")(function* (limit: keyof Limits, drill: string) {
  const { control } = yield* Nats;
  const millis = yield* Clock.currentTimeMillis;
  const kv = yield* attempt("kv", () =>
    new Kvm(control).create(drillsBucket, {
      history: 1,
      maxValueSize: markBytesMax,
      allow_direct: true,
      description: "When a drill last exercised each of Spillway's limits, one key per limit.",
    }),
  ).pipe(despiteOthers);
  yield* attempt("kv", () => kv.put(limit, JSON.stringify({ drill: drill.slice(0, 200), millis })));
});

/** By the name of the limit. One that no drill ever exercised has none. */
export const readDrillMarks: Effect.Effect<ReadonlyMap<string, DrillMark>, NatsError, Nats> = Effect.gen(function* () {
  const { control } = yield* Nats;
  const manager = yield* attempt("manage", () =>
    jetstreamManager(control, { checkAPI: false, timeout: answerMillisMax }),
  );
  if (!(yield* bucketExists(manager))) return new Map<string, DrillMark>();
  const messages = yield* directGet(control, {
    stream,
    sequence: 1,
    subject: `${subjectPrefix}>`,
    messagesMax: marksMax,
    bytesMax: marksMax * markBytesMax,
    timeoutMillis: answerMillisMax,
  }).pipe(Effect.mapError((cause) => new NatsError({ operation: "kv", detail: cause.detail, cause })));
  const marks = new Map<string, DrillMark>();
  for (const { data, subject } of messages) {
    const mark = decodeMark(data);
    if (mark !== undefined) marks.set(subject.slice(subjectPrefix.length), mark);
  }
  return marks;
});

const bucketExists = (manager: JetStreamManager): Effect.Effect<boolean, NatsError> =>
  attempt("manage", () => manager.streams.info(stream)).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ detail }) => detail.includes("stream not found"),
      () => Effect.succeed(false),
    ),
  );

/** undefined: not ours. */
const decodeMark = (data: Uint8Array): DrillMark | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString("utf8"));
  } catch {
    return undefined;
  }
  return Schema.is(DrillMark)(value) ? value : undefined;
};
