import type { Owner } from "../actors/owner.ts";
import { segmentCount, segmentOf } from "../domain/segment-of.ts";
import { deliveryPulse } from "../observability/delivery-pulse.ts";
import type { NodeSignals } from "../streams/config-messages.ts";

/** Pushes and backlogs of all segments at one moment, on a steady clock. */
interface Sample {
  readonly millis: number;
  readonly records: Float64Array;
  readonly bytes: Float64Array;
  readonly attempts: Float64Array;
  readonly failures: Float64Array;
}

interface Standing {
  readonly backlogBytes: Float64Array;
  readonly buffers: Float64Array;
}

/** A stage of a rollout, as this node follows it. */
interface Stage {
  readonly number: number;
  /** Of the customers, the first so many segments have the new snapshot. */
  readonly segments: number;
  readonly from: Sample;
}

/** What was before is taken over so long. */
const baselineMillis = 60_000;
/** What is now, over so long at most: what was bad at first may have passed. */
const nowMillisMax = 30_000;
const sampleMillis = 1_000;

/** Compares how it goes for the customers that a rollout has reached with how it went for them before. */
export class RolloutSignals {
  private readonly owned: Owner["Service"]["owned"];
  private samples: Array<Sample> = [];
  private before: { readonly from: Sample; readonly to: Sample; readonly standing: Standing } | undefined;
  private stage: Stage | undefined;

  constructor(owned: Owner["Service"]["owned"]) {
    this.owned = owned;
  }

  /** Once a second. */
  tick(nowMillis: number): void {
    const last = this.samples.at(-1);
    if (last !== undefined && nowMillis - last.millis < sampleMillis) return;
    this.samples.push(sampleAt(nowMillis));
    while (this.samples.length > 0 && nowMillis - this.samples[0]!.millis > baselineMillis) this.samples.shift();
  }

  /**
   * A snapshot is about to be served.
   *
   * @param segments so many have the new one; undefined: it is no step of a rollout
   */
  begin(number: number, segments: number | undefined, nowMillis: number): void {
    if (segments === undefined) {
      this.before = undefined;
      this.stage = undefined;
      return;
    }
    const now = sampleAt(nowMillis);
    // How it was before the first step: later ones have touched these customers already.
    this.before ??= { from: this.samples[0] ?? now, to: now, standing: this.standing() };
    this.stage = { number, segments, from: now };
  }

  /** Undefined while no rollout is watched, or this node serves another snapshot. */
  read(number: number, nowMillis: number): NodeSignals | undefined {
    const { before, stage } = this;
    if (before === undefined || stage === undefined || stage.number !== number) return undefined;
    const recent = this.samples.find(({ millis }) => millis >= nowMillis - nowMillisMax && millis >= stage.from.millis);
    const from = recent ?? stage.from;
    const now = sampleAt(nowMillis);
    const standing = this.standing();
    const sum = (values: Float64Array) => sumOf(values, stage.segments);
    const change = (a: Sample, b: Sample, key: "attempts" | "failures" | "records") => sum(b[key]) - sum(a[key]);
    return {
      number,
      deliveredPerSecond: perSecond(change(from, now, "records"), now.millis - from.millis),
      deliveredPerSecondBefore: perSecond(
        change(before.from, before.to, "records"),
        before.to.millis - before.from.millis,
      ),
      attempts: change(from, now, "attempts"),
      failures: change(from, now, "failures"),
      attemptsBefore: change(before.from, before.to, "attempts"),
      failuresBefore: change(before.from, before.to, "failures"),
      backlogBytes: sum(standing.backlogBytes),
      backlogBytesBefore: sum(before.standing.backlogBytes),
      buffers: sum(standing.buffers),
      buffersBefore: sum(before.standing.buffers),
    };
  }

  /** Uncompressed bytes a second that were delivered lately, of the segments in which there were any. */
  traffic(nowMillis: number): ReadonlyArray<readonly [segment: number, bytesPerSecond: number]> {
    const from = this.samples[0];
    if (from === undefined || nowMillis <= from.millis) return [];
    const traffic: Array<readonly [number, number]> = [];
    for (let segment = 0; segment < segmentCount; segment++) {
      const bytes = deliveryPulse.bytes[segment]! - from.bytes[segment]!;
      if (bytes > 0) traffic.push([segment, Math.round(perSecond(bytes, nowMillis - from.millis))]);
    }
    return traffic;
  }

  private standing(): Standing {
    const backlogBytes = new Float64Array(segmentCount);
    const buffers = new Float64Array(segmentCount);
    for (const { state } of this.owned().values()) {
      for (const { ledger, newest } of state.buffers.values()) {
        const segment = segmentOf(newest.job.customer);
        backlogBytes[segment]! += ledger.pendingBytes;
        buffers[segment]! += 1;
      }
    }
    return { backlogBytes, buffers };
  }
}

const sampleAt = (millis: number): Sample => ({
  millis,
  records: deliveryPulse.records.slice(),
  bytes: deliveryPulse.bytes.slice(),
  attempts: deliveryPulse.attempts.slice(),
  failures: deliveryPulse.failures.slice(),
});

const sumOf = (values: Float64Array, count: number): number => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  return sum;
};

const perSecond = (count: number, millis: number): number => (millis <= 0 ? 0 : (count * 1_000) / millis);
