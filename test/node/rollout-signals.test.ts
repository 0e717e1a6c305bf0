import { assert, describe, it } from "@effect/vitest";
import type { Owner } from "../../src/actors/owner.ts";
import { slotOf } from "../../src/domain/job-slot.ts";
import { segmentCount, segmentOf } from "../../src/domain/segment-of.ts";
import { RolloutSignals } from "../../src/node/rollout-signals.ts";
import { deliveryPulse } from "../../src/observability/delivery-pulse.ts";

type Job = { readonly customer: string; readonly id: string };

/** Push jobs of an owner, no two of which share a slot; what they have waiting, and how they are pushed. */
class Jobs {
  private readonly buffers = new Map<string, object>();
  readonly signals = new RolloutSignals(
    () => new Map([[0, { state: { buffers: this.buffers } }]]) as unknown as ReturnType<Owner["Service"]["owned"]>,
  );
  nowMillis = 0;

  has(job: Job, pendingBytes: number): void {
    this.buffers.set(job.id, { newest: { job }, ledger: { pendingBytes } });
  }

  hasNot(job: Job): void {
    this.buffers.delete(job.id);
  }

  /** So many seconds; each of the jobs is pushed with 100 records a second. */
  pass(seconds: number, delivered: ReadonlyArray<Job>, failed: ReadonlyArray<Job> = []): void {
    for (let second = 0; second < seconds; second++) {
      this.nowMillis += 1_000;
      for (const job of delivered) deliveryPulse.note(job, true, { records: 100, bytes: 1_000 });
      for (const job of failed) deliveryPulse.note(job, false, { records: 100, bytes: 1_000 });
      this.signals.tick(this.nowMillis);
    }
  }

  begin(number: number, segments: number | undefined): void {
    this.signals.begin(number, segments, this.nowMillis);
  }

  read(number: number) {
    return this.signals.read(number, this.nowMillis);
  }
}

/** Customers of the first and of the second half of the segments, with one job each. */
const halves = () => {
  const jobs = Array.from({ length: 400 }, (_, i) => ({ customer: `signals-${i}`, id: `job-${i}` }));
  const apart = [...new Map(jobs.map((job) => [slotOf(job), job])).values()];
  const isFirst = ({ customer }: Job) => segmentOf(customer) < segmentCount / 2;
  return { first: apart.filter(isFirst), second: apart.filter((job) => !isFirst(job)) };
};
const half = segmentCount / 2;

describe("the signals of a node", () => {
  const {
    first: [steady, changed, gone, fresh],
    second: [other],
  } = halves() as { readonly first: ReadonlyArray<Job>; readonly second: ReadonlyArray<Job> };
  if (!steady || !changed || !gone || !fresh || !other) throw new Error("too few customers");

  it("are none while no rollout is watched, or of another snapshot", () => {
    const jobs = new Jobs();
    jobs.pass(5, [steady]);
    assert.isUndefined(jobs.read(7));
    jobs.begin(7, undefined);
    assert.isUndefined(jobs.read(7));
    jobs.begin(8, half);
    assert.isUndefined(jobs.read(7));
    assert.strictEqual(jobs.read(8)?.number, 8);
    jobs.begin(9, undefined);
    assert.isUndefined(jobs.read(8));
  });

  it("compare the customers reached, now and before, and no others", () => {
    const jobs = new Jobs();
    jobs.has(steady, 1_000);
    jobs.has(other, 5_000);
    jobs.pass(60, [steady, other]);
    jobs.begin(8, half);
    jobs.has(steady, 3_000);
    jobs.pass(40, [], [steady, other]);
    const read = jobs.read(8)!;
    assert.strictEqual(read.deliveredPerSecondBefore, 100);
    assert.strictEqual(read.deliveredPerSecond, 0, "the last half minute");
    assert.deepInclude(read, { failuresBefore: 0, backlogBytes: 3_000, backlogBytesBefore: 1_000 });
    assert.deepInclude(read, { buffers: 1, buffersBefore: 1 });
    assert.strictEqual(read.failures, read.attempts);
    assert.isAtLeast(read.attempts, 20, "of the last half minute");
    assert.isAtMost(read.attempts, 30);
  });

  it("do not call a job dead that is pushed every half minute and was pushed just before", () => {
    const jobs = new Jobs();
    for (let i = 0; i < 2; i++) {
      jobs.pass(29, []);
      jobs.pass(
        1,
        Array.from({ length: 30 }, () => steady),
      );
    }
    jobs.begin(8, half);
    for (let second = 0; second < 29; second++) {
      jobs.pass(1, []);
      const { deliveredPerSecond, deliveredPerSecondBefore } = jobs.read(8)!;
      assert.isAtLeast(deliveredPerSecond, deliveredPerSecondBefore * 0.5, `${second} s after it has begun`);
    }
    jobs.pass(20, []);
    assert.strictEqual(jobs.read(8)?.deliveredPerSecond, 0, "and now it is late");
  });

  it("set apart the jobs that are not what they were, now and before, in this step and those after it", () => {
    const jobs = new Jobs();
    for (const job of [steady, changed, gone]) jobs.has(job, 1_000);
    jobs.pass(60, [steady, changed, gone]);
    jobs.begin(8, half);
    for (const job of [changed, gone, fresh]) jobs.signals.touch(job);
    jobs.hasNot(gone);
    jobs.has(fresh, 9_000_000);
    jobs.pass(30, [steady], [changed, fresh]);
    const inStep = jobs.read(8)!;
    assert.deepInclude(inStep, { deliveredPerSecond: 100, deliveredPerSecondBefore: 100, attempts: 30, failures: 0 });
    assert.deepInclude(inStep, { backlogBytes: 1_000, backlogBytesBefore: 1_000, buffers: 1, buffersBefore: 1 });
    assert.deepInclude(inStep.changed, { attempts: 60, failures: 60, failuresBefore: 0 });
    assert.deepInclude(inStep.changed, { buffers: 2, buffersBefore: 2 });

    jobs.has(other, 2_000);
    jobs.begin(9, segmentCount);
    jobs.signals.touch(other);
    jobs.pass(30, [steady], [changed]);
    const later = jobs.read(9)!;
    assert.deepInclude(later, { deliveredPerSecondBefore: 100, failures: 0, buffers: 1, buffersBefore: 1 });
    assert.deepInclude(later.changed, { failures: 30, buffers: 3, buffersBefore: 2 });

    // Right after it, what was before is what was ordered to change.
    jobs.begin(10, undefined);
    jobs.begin(11, half);
    jobs.pass(1, [steady]);
    assert.deepInclude(jobs.read(11), { deliveredPerSecondBefore: 100, buffers: 1, buffersBefore: 1 });

    jobs.begin(12, undefined);
    jobs.pass(70, [steady], [changed]);
    jobs.begin(13, half);
    jobs.pass(1, [], [changed]);
    assert.deepInclude(jobs.read(13), { failures: 1, buffers: 3, buffersBefore: 3 });
    assert.deepInclude(jobs.read(13)?.changed, { attempts: 0, buffers: 0, buffersBefore: 0 });
  });
});
