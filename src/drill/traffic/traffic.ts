import { Deferred, Effect } from "effect";
import {
  type ArrivalCounts,
  type Behaviour,
  type FromProducer,
  type FromSink,
  noOffers,
  type PhaseStart,
  type ProducerData,
  type Reckoning,
  type SinkData,
  type ToProducer,
  type ToSink,
} from "./messages.ts";
import { awaited, startTrafficThread } from "./traffic-thread.ts";

const startMillisMax = 20_000;
const reckonMillisMax = 60_000;
/** Beyond what a request may be offered for. */
const stopMillisMax = 15_000;

export type Stopped = Extract<FromProducer, { readonly type: "stopped" }>;

/** HTTP destinations on a thread of their own. Ends with the scope. */
export const startSink = Effect.fn("drill.startSink")(function* (data: SinkData) {
  const listening = Deferred.makeUnsafe<ReadonlyArray<string>>();
  const reckoned = Deferred.makeUnsafe<Reckoning>();
  const latest = {
    counts: { delivered: 0, duplicates: 0, misdelivered: 0, strangersDelivered: 0, batches: 0 } as ArrivalCounts,
  };
  const thread = yield* startTrafficThread<ToSink>("sink", data, (told) => {
    const message = told as FromSink;
    if (message.type === "listening") Deferred.doneUnsafe(listening, Effect.succeed(message.urls));
    else if (message.type === "counts") latest.counts = message.counts;
    else Deferred.doneUnsafe(reckoned, Effect.succeed(message));
  });
  const origins = yield* awaited(listening, thread, "The start of the drill's destinations", startMillisMax);
  return {
    /** Customer `index` of the drill has its destination on `origins[index % origins.length]`. */
    origins,
    counts: () => latest.counts,
    behave: (customers: ReadonlyArray<string>, behaviour: Behaviour) =>
      Effect.sync(() => thread.post({ type: "behave", customers, behaviour })),
    beginPhase: (phase: PhaseStart) => Effect.sync(() => thread.post({ type: "phase", phase })),
    /** Once, at the end. */
    reckon: (offered: Stopped["offered"], steady: ReadonlyArray<string>) =>
      Effect.sync(() => thread.post({ type: "reckon", offered, steady })).pipe(
        Effect.andThen(awaited(reckoned, thread, "The count of what was delivered", reckonMillisMax)),
      ),
  };
});
export type DrillSink = Effect.Success<ReturnType<typeof startSink>>;

/** Producers on a thread of their own; they offer from the start. Ends with the scope. */
export const startProducers = Effect.fn("drill.startProducers")(function* (data: ProducerData) {
  const stopped = Deferred.makeUnsafe<Stopped>();
  const latest = { counts: noOffers() };
  const thread = yield* startTrafficThread<ToProducer>("producer", data, (told) => {
    const message = told as FromProducer;
    latest.counts = message.counts;
    if (message.type === "stopped") Deferred.doneUnsafe(stopped, Effect.succeed(message));
  });
  return {
    counts: () => latest.counts,
    /** So many times the ordinary rate from now on. */
    rate: (customers: ReadonlyArray<string>, factor: number) =>
      Effect.sync(() => thread.post({ type: "rate", customers, factor })),
    /** Records of `count` customers without a push job; 0 records a second ends it. */
    strangers: (count: number, recordsPerSecond: number) =>
      Effect.sync(() => thread.post({ type: "strangers", count, recordsPerSecond })),
    /** Once, at the end: waits for the answers that are still out. */
    stop: Effect.sync(() => thread.post({ type: "stop" })).pipe(
      Effect.andThen(awaited(stopped, thread, "The end of the producers", data.offerMillisMax + stopMillisMax)),
    ),
  };
});
export type DrillProducers = Effect.Success<ReturnType<typeof startProducers>>;
