import { Clock, Effect, Layer, Metric } from "effect";
import { createActor } from "xstate";
import { admissionStateGauge, admissionTransitionsTo } from "../../observability/admission-metrics.ts";
import { Backlogs } from "../ports/backlogs.ts";
import { DrillFaults } from "../ports/drill-faults.ts";
import { Jobs } from "../ports/jobs.ts";
import { admissionStates, NodeAdmission } from "../ports/node-admission.ts";
import type { RecordSpans } from "../ports/outbox.ts";
import { admissionMachine, type Shares } from "./machine.ts";
import { NewcomerDemand } from "./newcomer-demand.ts";
import { type NewcomerLimits, Newcomers } from "./newcomers.ts";
import { Tokens } from "./tokens.ts";

export interface NodeAdmissionOptions extends NewcomerLimits {
  readonly guardedPercent: number;
  readonly surgingPercent: number;
  readonly closedPercent: number;
  readonly admissionEasedPercent: number;
  readonly admissionDwellMillisMin: number;
  readonly newBuffersPerSecondMax: number;
  readonly newBuffersBurstMax: number;
  readonly memoryBytesMax: number;
  readonly eventLoopDelayMillisMax: number;
  readonly unscannedPercentMax: number;
  readonly logBytesMax: number;
  /** Of the process: what the operating system counts. */
  readonly memoryBytes: () => number;
  /** A mean over about the last half second. */
  readonly eventLoopDelayMillis: () => number;
}

/** A flood of a million records a second has two samples' time before newcomers are held back. */
const sampleMillis = 100;

/** Samples what the node has left, lets the machine decide, and answers the questions of those who want more. */
export const layerNodeAdmission = (options: NodeAdmissionOptions): Layer.Layer<NodeAdmission, never, Backlogs | Jobs> =>
  Layer.effect(NodeAdmission, makeNodeAdmission(options));

export const makeNodeAdmission = Effect.fnUntraced(function* (options: NodeAdmissionOptions) {
  const clock = yield* Clock.Clock;
  const jobs = yield* Jobs;
  const drill = yield* DrillFaults;
  const now = () => clock.currentTimeMillisUnsafe();
  const actor = yield* startActor(options);
  const state = () => actor.getSnapshot().value;
  const startedMillis = now();
  const newcomers = new Newcomers(options, startedMillis);
  const demand = new NewcomerDemand(options.newBuffersPerSecondMax, now());
  const pace = () => creationPace(options, state());
  const tokens = new Tokens(pace, () => (state() === "closed" ? 0 : options.newBuffersBurstMax), now());
  let configuredAtStart: ReadonlyMap<string, unknown> | undefined;
  let residents = { count: () => 0, max: Number.MAX_SAFE_INTEGER };

  const sample = Effect.gen(function* () {
    const before = state();
    const nowMillis = now();
    const fill = yield* partitionFill(options);
    const shares: Shares = {
      residents: (100 * residents.count()) / residents.max,
      // Not the buffers that come into being: their pace is kept by tokens, and keeping it is no surge.
      newcomers: (100 * demand.perSecond(nowMillis)) / options.newBuffersPerSecondMax,
      memory: (100 * options.memoryBytes()) / options.memoryBytesMax,
      eventLoop: (100 * options.eventLoopDelayMillis()) / options.eventLoopDelayMillisMax,
      partitionFill: fill,
    };
    actor.send({ type: "reading", shares, nowMillis });
    newcomers.keepOnly(jobs.served().pairs);
    if (nowMillis - startedMillis > options.newcomerSeconds * 1_000) configuredAtStart = new Map();
    const after = state();
    if (after === before) return;
    if (after === "surging" || after === "closed") newcomers.surgeBegan(nowMillis);
    else newcomers.surgeEnded();
    yield* Metric.update(admissionStateGauge, admissionStates.indexOf(after));
    yield* Metric.update(admissionTransitionsTo(after), 1);
    const why = { from: before, to: after, because: actor.getSnapshot().context.pressedBy, ...shares };
    yield* after === "open" ? Effect.logInfo("Admission.", why) : Effect.logWarning("Admission.", why);
  });
  yield* Metric.update(admissionStateGauge, 0);
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(sampleMillis), sample)));

  const bytesOfNewcomers = ({ pairs, starts, stops }: RecordSpans, nowMillis: number): number => {
    let bytes = 0;
    for (let i = 0; i < pairs.length; i++) {
      if (newcomers.isNewcomer(pairs[i]!.key, nowMillis)) bytes += stops[i]! - starts[i]!;
    }
    return bytes;
  };
  const isSurge = () => state() === "surging" || state() === "closed";

  return NodeAdmission.of({
    state,
    mayCreate: () => {
      if (!drill.isGuardOn("bufferLimit")) return true;
      if (tokens.at(now()) < 1) return false;
      tokens.spend(1);
      return true;
    },
    see: ({ key }) => {
      configuredAtStart ??= jobs.served().pairs;
      const nowMillis = now();
      if (newcomers.see(key, configuredAtStart.has(key), nowMillis)) demand.add(key, nowMillis);
    },
    mayPublish: ({ key }) => {
      const nowMillis = now();
      if (!drill.isGuardOn("admission")) return true;
      if (!isSurge() || !newcomers.isNewcomer(key, nowMillis)) return true;
      if (state() === "surging" && newcomers.haveShare(nowMillis)) return true;
      demand.add(key, nowMillis);
      return false;
    },
    published: (spans) => {
      const nowMillis = now();
      newcomers.published(spans.bytes, isSurge() ? bytesOfNewcomers(spans, nowMillis) : 0, nowMillis);
    },
    watchResidents: (count, max) => {
      residents = { count, max };
    },
  });
});

const startActor = (options: NodeAdmissionOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const actor = createActor(admissionMachine, {
        input: {
          guardedPercent: options.guardedPercent,
          surgingPercent: options.surgingPercent,
          closedPercent: options.closedPercent,
          easedPercent: options.admissionEasedPercent,
          dwellMillisMin: options.admissionDwellMillisMin,
        },
      });
      actor.start();
      return actor;
    }),
    (actor) => Effect.sync(() => void actor.stop()),
  );

/** New buffers a second: the newcomers' share of it in a surge, none at all when closed. */
const creationPace = (options: NodeAdmissionOptions, state: (typeof admissionStates)[number]): number => {
  if (state === "closed") return 0;
  const all = options.newBuffersPerSecondMax;
  return state === "surging" ? (all * options.newcomerSharePercent) / 100 : all;
};

/** Of the fullest partition: what is stored and not scanned, as a share of what may be. What is unknown is not full. */
const partitionFill = Effect.fnUntraced(function* (options: NodeAdmissionOptions) {
  const backlogs = yield* Backlogs;
  const bytesMax = (options.logBytesMax * options.unscannedPercentMax) / 100;
  let most = 0;
  for (let partition = 0; partition < backlogs.partitions; partition++) {
    most = Math.max(most, backlogs.latest(partition)?.report.unscannedBytes ?? 0);
  }
  return (100 * most) / bytesMax;
});
