import type { Owner } from "../actors/owner.ts";
import { slotCount, slotOf, slotsPerSegment } from "../domain/job-slot.ts";
import { segmentCount } from "../domain/segment-of.ts";
import { deliveryPulse } from "../observability/delivery-pulse.ts";
import type { NodeSignals } from "../streams/config-messages.ts";

type Counts = Pick<typeof deliveryPulse, "attempts" | "bytes" | "failures" | "records">;

/** All pushes up to one moment, on a steady clock. */
interface Sample {
  readonly millis: number;
  readonly counts: Counts;
}

/** By slot. */
interface Standing {
  readonly backlogBytes: Float64Array;
  readonly buffers: Float64Array;
}

/** How it was when the first step of a rollout began: later ones find customers that it has touched already. */
interface Before {
  readonly from: Sample;
  readonly to: Sample;
  readonly standing: Standing;
}

/** A step of a rollout, as this node follows it. */
interface Stage {
  readonly number: number;
  /** Of the slots, the first so many have the new snapshot. */
  readonly slots: number;
  readonly from: Sample;
}

/** What was before is taken over so long. */
const baselineMillis = 60_000;
/** What is delivered now, over so long at least: a job may be pushed no more often. */
const deliveredMillisMin = 30_000;
/** Pushes that fail now, over so long at most: what was bad at first may have passed. */
const failedMillisMax = 30_000;
const sampleMillis = 10_000;

/** Figures of some slots. */
const noFigures = {
  delivered: 0,
  deliveredBefore: 0,
  attempts: 0,
  failures: 0,
  attemptsBefore: 0,
  failuresBefore: 0,
  backlogBytes: 0,
  backlogBytesBefore: 0,
  buffers: 0,
  buffersBefore: 0,
};

/** Compares how it goes for the customers that a rollout has reached with how it went for them before. */
export class RolloutSignals {
  private readonly owned: Owner["Service"]["owned"];
  private samples: Array<Sample> = [];
  private before: Before | undefined;
  private stage: Stage | undefined;
  /**
   * By slot, when a job in it was changed last. Of what was meant to change nothing can be said by comparing; nor if it
   * was another rollout that has changed it, a moment before.
   */
  private readonly touchedMillis = new Float64Array(slotCount).fill(Number.NEGATIVE_INFINITY);
  private servingMillis = 0;

  constructor(owned: Owner["Service"]["owned"]) {
    this.owned = owned;
  }

  /** At least once a second. */
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
    this.servingMillis = nowMillis;
    if (segments === undefined) {
      this.before = undefined;
      this.stage = undefined;
      return;
    }
    const now = sampleAt(nowMillis);
    this.before ??= { from: this.samples[0] ?? now, to: now, standing: this.standing() };
    this.stage = { number, slots: segments * slotsPerSegment, from: now };
  }

  /** What is about to be served has other settings for this job, or it is new, or gone. */
  touch(job: { readonly customer: string; readonly id: string }): void {
    this.touchedMillis[slotOf(job)] = this.servingMillis;
  }

  /** Undefined while no rollout is watched, or this node serves another snapshot. */
  read(number: number, nowMillis: number): NodeSignals | undefined {
    const { before, samples, stage } = this;
    if (before === undefined || stage === undefined || stage.number !== number) return undefined;
    // Reaches back before the step at first: who is pushed twice a minute is not dead for having been pushed just then.
    const delivered =
      samples.findLast(({ millis }) => millis <= nowMillis - deliveredMillisMin) ?? samples[0] ?? stage.from;
    const failed =
      (nowMillis - stage.from.millis <= failedMillisMax
        ? undefined
        : samples.find(({ millis }) => millis >= nowMillis - failedMillisMax)) ?? stage.from;
    const { changed, same } = figuresOf(before, stage.slots, {
      delivered: delivered.counts,
      failed: failed.counts,
      now: deliveryPulse,
      standing: this.standing(),
      touchedMillis: this.touchedMillis,
    });
    return {
      number,
      deliveredPerSecond: perSecond(same.delivered, nowMillis - delivered.millis),
      deliveredPerSecondBefore: perSecond(same.deliveredBefore, before.to.millis - before.from.millis),
      attempts: same.attempts,
      failures: same.failures,
      attemptsBefore: same.attemptsBefore,
      failuresBefore: same.failuresBefore,
      backlogBytes: same.backlogBytes,
      backlogBytesBefore: same.backlogBytesBefore,
      buffers: same.buffers,
      buffersBefore: same.buffersBefore,
      changed: {
        attempts: changed.attempts,
        failures: changed.failures,
        attemptsBefore: changed.attemptsBefore,
        failuresBefore: changed.failuresBefore,
        buffers: changed.buffers,
        buffersBefore: changed.buffersBefore,
      },
    };
  }

  /** Uncompressed bytes a second that were delivered lately, of the segments in which there were any. */
  traffic(nowMillis: number): ReadonlyArray<readonly [segment: number, bytesPerSecond: number]> {
    const from = this.samples[0];
    if (from === undefined || nowMillis <= from.millis) return [];
    const traffic: Array<readonly [number, number]> = [];
    for (let segment = 0; segment < segmentCount; segment++) {
      const bytes = deliveryPulse.bytes[segment]! - from.counts.bytes[segment]!;
      if (bytes > 0) traffic.push([segment, Math.round(perSecond(bytes, nowMillis - from.millis))]);
    }
    return traffic;
  }

  private standing(): Standing {
    const backlogBytes = new Float64Array(slotCount);
    const buffers = new Float64Array(slotCount);
    for (const { state } of this.owned().values()) {
      for (const { ledger, newest } of state.buffers.values()) {
        const slot = slotOf(newest.job);
        backlogBytes[slot]! += ledger.pendingBytes;
        buffers[slot]! += 1;
      }
    }
    return { backlogBytes, buffers };
  }
}

const sampleAt = (millis: number): Sample => ({
  millis,
  counts: {
    bytes: deliveryPulse.bytes.slice(),
    records: deliveryPulse.records.slice(),
    attempts: deliveryPulse.attempts.slice(),
    failures: deliveryPulse.failures.slice(),
  },
});

/** Of the slots that are as they were, and of the others. */
const figuresOf = (
  before: Before,
  slots: number,
  at: {
    readonly delivered: Counts;
    readonly failed: Counts;
    readonly now: Counts;
    readonly standing: Standing;
    readonly touchedMillis: Float64Array;
  },
) => {
  const same = { ...noFigures };
  const changed = { ...noFigures };
  const { from, standing, to } = before;
  for (let slot = 0; slot < slots; slot++) {
    const sum = at.touchedMillis[slot]! >= from.millis ? changed : same;
    sum.delivered += at.now.records[slot]! - at.delivered.records[slot]!;
    sum.deliveredBefore += to.counts.records[slot]! - from.counts.records[slot]!;
    sum.attempts += at.now.attempts[slot]! - at.failed.attempts[slot]!;
    sum.failures += at.now.failures[slot]! - at.failed.failures[slot]!;
    sum.attemptsBefore += to.counts.attempts[slot]! - from.counts.attempts[slot]!;
    sum.failuresBefore += to.counts.failures[slot]! - from.counts.failures[slot]!;
    sum.backlogBytes += at.standing.backlogBytes[slot]!;
    sum.backlogBytesBefore += standing.backlogBytes[slot]!;
    sum.buffers += at.standing.buffers[slot]!;
    sum.buffersBefore += standing.buffers[slot]!;
  }
  return { same, changed };
};

const perSecond = (count: number, millis: number): number => (millis <= 0 ? 0 : (count * 1_000) / millis);
