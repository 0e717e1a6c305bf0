import type { GuardName } from "../../domain/drill-state.ts";
import type { Drill } from "../drill.ts";
import { type Detection, detectionsOf, slowest } from "./detection.ts";
import type { Offered, OfferCounts, Reckoning } from "../traffic/messages.ts";
import { metricSum } from "./metrics-text.ts";
import { rounded } from "./rounded.ts";
import { type Sample, usedMost } from "./sample.ts";
import { kindOf, lostByPhase, type PhaseLoss, recoverSeconds, recoveryStart } from "./loss.ts";

/** What a run has shown, in numbers. `configured` customers have a push job; `steady` ones are not hurt directly. */
export interface Figures {
  readonly drill: string;
  readonly world: "embedded" | "target";
  readonly guardsOff: ReadonlyArray<GuardName>;
  readonly customers: number;
  readonly seconds: number;
  /** Records that producers offered, whatever became of them. */
  readonly configuredOffered: number;
  /** Of those, unique ones that a destination answered 200. */
  readonly configuredDelivered: number;
  /** Offered and never delivered: what a customer would miss, for whatever reason. */
  readonly configuredLost: number;
  readonly configuredLostPercent: number;
  /** The same by the phase in which the records were offered, to the second. */
  readonly lostByPhase: ReadonlyArray<PhaseLoss>;
  /** The same of the steady customers. */
  readonly steadyLost: number;
  /** Acknowledged and never delivered; dead letters, which are kept, not counted; null: no books were told. */
  readonly acknowledgedLost: number | null;
  /** Given up by producers after 5 s of repeating, and never delivered either. */
  readonly lostAtDoor: number;
  /** Answered 200 and dropped, for the node knew of no push job. */
  readonly droppedAsUnconfigured: number;
  /** Records that a node took of customers without a push job, who sent beside. */
  readonly strangersStored: number;
  /** Records that owners found in the log for which there was no push job, by their receipts. */
  readonly unwantedInLog: number;
  /** Requests answered 429 or 503, each time. */
  readonly requestsRefused: number;
  readonly deadLettered: number | null;
  /** Acknowledged, given up later, and told to their customers with receipts: expired or shed, by the books. */
  readonly lostWithReceipt: number | null;
  /** Difference between the two sides of the books, summed over jobs, at the end; null: no node told. */
  readonly unexplained: number | null;
  readonly duplicates: number;
  readonly misdelivered: number;
  /** Records of strangers that came to destinations of theirs: a fault, or a wave, has given them push jobs. */
  readonly strangersDelivered: number;
  /** Steady customers' worst p99 lag of a phase from the fault on, over the baseline's; null: nothing came. */
  readonly p99LagRatio: number | null;
  readonly p99LagMillisBaseline: number | null;
  readonly p99LagMillisWorst: number | null;
  readonly buffersMax: number;
  /** Per node; 0: not known. */
  readonly buffersLimit: number;
  /** By how many more than `buffersLimit` one node ever had. */
  readonly buffersOverLimit: number;
  /**
   * From the end of the fault until nothing was lost any more, what was offered before it had come as far as it ever
   * did, and buffers were within their limit again; null: not before the end of the drill.
   */
  readonly recoverSeconds: number | null;
  /** From the beginning of a fault until the system said so, the slowest of all faults; null: of one it never did. */
  readonly detectSeconds: number | null;
  /** What it said of each fault. */
  readonly detectedBy: string | null;
  /** The same until an alert fired for it. */
  readonly alertSeconds: number | null;
  readonly detections: ReadonlyArray<Detection>;
  /** From the end of the fault until a push job that was changed in it was in force; null: never, or none was. */
  readonly changeLiveSeconds: number | null;
  /** Node processes that ended by themselves. */
  readonly restarts: number;
  readonly alerts: ReadonlyArray<string>;
}

/** Everything that a run leaves to be counted. */
export interface RunRecord {
  readonly drill: Drill;
  readonly world: "embedded" | "target";
  readonly guardsOff: ReadonlyArray<GuardName>;
  readonly steady: ReadonlyArray<string>;
  readonly offered: ReadonlyArray<Offered>;
  readonly offerCounts: OfferCounts;
  readonly offeredAt: ReadonlyMap<number, number>;
  readonly reckoning: Reckoning;
  readonly samples: ReadonlyArray<Sample>;
  /** Seconds since the start, with the phase that begins there. */
  readonly phaseStarts: ReadonlyArray<{ readonly name: string; readonly seconds: number }>;
  readonly startedMillis: number;
  readonly seconds: number;
  /** By the books at the end, of the drill's customers. */
  readonly booked: { readonly deadLettered: number; readonly givenUp: number } | undefined;
  readonly buffersLimit: number;
  readonly ended: ReadonlyArray<string>;
}

/** Pure: the same record gives the same figures. */
export const figuresOf = (run: RunRecord): Figures => {
  const { offerCounts, reckoning, samples } = run;
  const offered = sum(run.offered.map(({ records }) => records));
  const delivered = sum(reckoning.arrived.map((arrived) => arrived.delivered));
  const unsure = run.offered.map(({ notAcknowledged }) =>
    sum(notAcknowledged.map(([first, last]) => last - first + 1)),
  );
  const arrivedUnsure = sum(reckoning.arrived.map((arrived) => arrived.deliveredNotAcknowledged));
  const acknowledged = offered - sum(unsure);
  const steady = new Set(run.steady);
  const isSteady = ({ customer }: { readonly customer: string }) => steady.has(customer);
  const lags = lagsOf(run);
  return {
    drill: run.drill.name,
    world: run.world,
    guardsOff: run.guardsOff,
    customers: run.offered.length,
    seconds: run.seconds,
    configuredOffered: offered,
    configuredDelivered: delivered,
    configuredLost: offered - delivered,
    configuredLostPercent: offered === 0 ? 0 : rounded((100 * (offered - delivered)) / offered),
    lostByPhase: lostByPhase(run),
    steadyLost:
      sum(run.offered.filter(isSteady).map(({ records }) => records)) -
      sum(reckoning.arrived.filter(isSteady).map((arrived) => arrived.delivered)),
    acknowledgedLost:
      run.booked === undefined
        ? null
        : Math.max(0, acknowledged - (delivered - arrivedUnsure) - run.booked.deadLettered),
    lostAtDoor: sum(unsure) - arrivedUnsure,
    droppedAsUnconfigured: offerCounts.unconfigured,
    strangersStored: offerCounts.strangers.accepted,
    unwantedInLog: samples.reduce(
      (most, { metrics }) =>
        Math.max(most, metricSum(metrics, "spillway_records_written_off_total", 'reason="unclaimed"')),
      0,
    ),
    requestsRefused: offerCounts.requestsRefused,
    deadLettered: run.booked?.deadLettered ?? null,
    lostWithReceipt: run.booked?.givenUp ?? null,
    unexplained: samples.findLast(({ metrics }) => metrics.size > 0)?.unexplained ?? null,
    duplicates: reckoning.counts.duplicates,
    misdelivered: reckoning.counts.misdelivered,
    strangersDelivered: reckoning.counts.strangersDelivered,
    ...lags,
    buffersMax: samples.reduce((most, { buffers }) => Math.max(most, buffers ?? 0), 0),
    buffersLimit: run.buffersLimit,
    buffersOverLimit: buffersOverLimit(run),
    recoverSeconds: recoverSeconds(run),
    ...noticing(run),
    changeLiveSeconds: changeLiveSeconds(run),
    restarts: run.ended.length,
    alerts: [...new Set(samples.flatMap(({ alerts }) => alerts))].toSorted(),
  };
};

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, each) => total + each, 0);

const buffersOverLimit = ({ buffersLimit, samples }: RunRecord): number =>
  Math.max(0, usedMost(samples, "residentBuffersMax") - buffersLimit);

const lagsOf = ({ drill, reckoning }: RunRecord) => {
  const p99Of = (kinds: ReadonlyArray<string>): number | null => {
    const found = reckoning.lags.flatMap(({ p99Millis, phase }) =>
      p99Millis !== null && kinds.includes(kindOf(drill, phase) ?? "") ? [p99Millis] : [],
    );
    return found.length === 0 ? null : Math.round(Math.max(...found));
  };
  const baseline = p99Of(["baseline"]);
  const worst = p99Of(["fault", "recovery"]);
  const isMeasured = baseline !== null && baseline > 0 && worst !== null;
  return {
    p99LagRatio: isMeasured ? rounded(worst / baseline) : null,
    p99LagMillisBaseline: baseline,
    p99LagMillisWorst: worst,
  };
};

/** 0 when it was before the end of the fault. */
const changeLiveSeconds = (run: RunRecord): number | null => {
  const endOfFault = recoveryStart(run);
  const { movedMillis } = run.reckoning;
  if (endOfFault === undefined || movedMillis === null) return null;
  return rounded(Math.max(0, (movedMillis - run.startedMillis) / 1_000 - endOfFault));
};

const noticing = (run: RunRecord) => {
  const detections = detectionsOf(run);
  const said = detections.flatMap(({ detectedBy, fault }) =>
    detectedBy === null ? [] : [detections.length === 1 ? detectedBy : `${fault}: ${detectedBy}`],
  );
  return {
    detectSeconds: slowest(detections.map(({ detectSeconds }) => detectSeconds)),
    detectedBy: said.length === 0 ? null : said.join("; "),
    alertSeconds: slowest(detections.map(({ alertSeconds }) => alertSeconds)),
    detections,
  };
};
