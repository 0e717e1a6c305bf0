import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer, Metric } from "effect";
import { TestClock } from "effect/testing";
import { saveSnapshot } from "../../src/actors/buffer/snapshot.ts";
import { Owner } from "../../src/actors/owner.ts";
import type { Row } from "../../src/actors/ports/checkpoints.ts";
import { emptyJobSet, Jobs, type JobSet } from "../../src/actors/ports/jobs.ts";
import { RowTable } from "../../src/actors/ports/row-table.ts";
import { firstRow, WaitingBuffer } from "../../src/actors/residency/waiting-buffer.ts";
import { NodeAdmission } from "../../src/actors/ports/node-admission.ts";
import type { AlertSignal } from "../../src/domain/alert-rule.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { makeAlertSignals } from "../../src/node/alert-signals.ts";
import { WorstFew } from "../../src/node/worst-few.ts";
import { AlertReadings } from "../../src/observability/alert-readings.ts";
import { LossesBefore } from "../../src/observability/losses.ts";
import { notServedTotal } from "../../src/observability/ingest-metrics.ts";
import { recordsWrittenOff } from "../../src/observability/sweep-metrics.ts";
import { Ledger } from "../../src/actors/buffer/ledger.ts";
import { emptyBooks } from "../../src/domain/books.ts";
import { aRule } from "../actors/alert/alert-rules.ts";

interface Fake {
  readonly delivery?: string;
  readonly enabled?: boolean;
  readonly pendingRecords?: number;
  readonly pendingBytes?: number;
  readonly pendingSinceMillis?: number;
  readonly lastSuccessMillis?: number;
  readonly accepted?: number;
}

const fakeBuffer = (id: string, fake: Fake) => ({
  jobId: id,
  newest: { revision: 1, job: { id, customer: "acme", dataset: "d", enabled: fake.enabled ?? true } },
  actor: { delivery: () => fake.delivery ?? "idle" },
  ledger: new Ledger({
    ...emptyBooks,
    accepted: { records: fake.accepted ?? fake.pendingRecords ?? 0, bytes: fake.pendingBytes ?? 0 },
    pending: { records: fake.pendingRecords ?? 0, bytes: fake.pendingBytes ?? 0 },
  }),
  pendingSinceMillis: fake.pendingSinceMillis,
  lastSuccessMillis: fake.lastSuccessMillis,
});

const setOf = (jobs: ReadonlyArray<readonly [id: string, pairKey: string, enabled: boolean]>): JobSet => ({
  ...emptyJobSet,
  brief: (wanted) => {
    const [found] = jobs.filter(([id]) => id === wanted);
    return found === undefined ? undefined : { pairKey: found[1], revision: 1, enabled: found[2] };
  },
});

/** As a suspended actor leaves it. */
const suspendedRow = (id: string, delivery = "suspended"): Row => ({
  ...firstRow(id, "acme.d", 1, 0, {
    ...emptyBooks,
    accepted: { records: 1, bytes: 10 },
    pending: { records: 1, bytes: 10 },
  }),
  snapshot: saveSnapshot(delivery, {
    batch: { first: 1, last: 1, records: 1, bytes: 10, startMillis: 0, endMillis: 0, closedBy: "time" },
    failures: 3,
    failuresSinceRevised: 3,
    ambiguous: false,
    retryAtMillis: 0,
    backoffMillis: 0,
    revised: false,
    bisection: null,
    refusal: { reason: "auth", detail: "401", status: 401 },
  } as never),
});

const limits = {
  alertsPerRuleMax: 2,
  backlogAgeSecondsMax: 100,
  backlogBytesPerCustomerMax: 1_000,
  jobsMax: 50,
  auditBytesMax: 1_000,
};
const rules = [
  aRule(),
  aRule({ id: "lag", signal: "jobLagPercent", comparison: ">=", threshold: 70 }),
  aRule({ id: "silent", signal: "jobSilentSeconds", comparison: ">=", threshold: 60 }),
];

const start = Effect.fnUntraced(function* (fakes: Record<string, Fake>, before?: Context.Context<LossesBefore>) {
  const world = { state: "open" as "open" | "surging", jobs: 10, set: setOf([]) };
  const buffers = new Map<string, unknown>();
  const partition = {
    buffers,
    waitingBuffers: new Map<string, WaitingBuffer>(),
    waiting: new Map<string, unknown>(),
    rows: RowTable.from([]),
    isOwn: (pairKey: string) => pairKey.startsWith("acme."),
    isAdopted: true,
    isClosing: false,
  };
  const owned = new Map<number, unknown>([[0, { state: partition }]]);
  const put = (id: string, fake: Fake) => void buffers.set(id, fakeBuffer(id, fake));
  for (const [id, fake] of Object.entries(fakes)) put(id, fake);
  const signals = yield* makeAlertSignals({
    rules,
    limits: limits as unknown as Limits,
    uses: { jobsMax: () => world.jobs, auditBytesMax: () => 950, retryMillisMax: () => 1 },
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.succeed(Owner, { owned: () => owned } as never),
        Layer.succeed(Jobs, { served: () => world.set } as never),
        before === undefined ? LossesBefore.layer : Layer.succeedContext(before),
        Layer.succeed(NodeAdmission, { state: () => world.state } as never),
      ),
    ),
  );
  const read = Effect.map(signals.read, ({ absent, list, unlisted }) => ({
    unlisted,
    absent,
    of: (signal: AlertSignal) =>
      list
        .filter((each) => each.signal === signal)
        .map(({ labels, value }) => [labels["job"] ?? labels["limit"], value]),
  }));
  return { world, put, read, partition, owned };
});

describe("what a node knows of itself", () => {
  it.effect("is which jobs are suspended, lag, and had no success, for those that are to deliver", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000);
      const { read } = yield* start({
        well: {},
        suspended: { delivery: "suspended" },
        old: { pendingRecords: 1, pendingBytes: 10, pendingSinceMillis: 920_000, lastSuccessMillis: 990_000 },
        disabled: { enabled: false, delivery: "suspended", pendingRecords: 1, pendingSinceMillis: 1 },
      });
      const found = yield* read;
      assert.deepStrictEqual(found.of("jobSuspended"), [["suspended", 1]]);
      assert.deepStrictEqual(found.of("jobLagPercent"), [["old", 80]]);
      assert.deepStrictEqual(found.of("jobSilentSeconds"), [["old", 10]]);
      assert.deepStrictEqual(found.of("unexplainedRecords"), [[undefined, 0]]);
      assert.deepStrictEqual(
        found.of("limitPercent"),
        [
          ["jobsMax", 20],
          ["auditBytesMax", 95],
        ],
        "of limits that are measured, the scarce",
      );
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("counts a large backlog as lag, and what the books cannot explain whatever its sign", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000);
      const { read } = yield* start({
        large: { pendingRecords: 9, pendingBytes: 900, pendingSinceMillis: 999_000, accepted: 12 },
        surplus: { pendingRecords: 5, accepted: 1 },
      });
      const found = yield* read;
      assert.deepStrictEqual(found.of("jobLagPercent"), [["large", 90]]);
      assert.deepStrictEqual(found.of("unexplainedRecords"), [[undefined, 7]]);
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("lists the worst few of many thousand jobs, and counts the others that breach", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000);
      const many = Object.fromEntries(
        Array.from({ length: 5_000 }, (_, i) => [
          `job-${i}`,
          { pendingRecords: 1, pendingBytes: 1, pendingSinceMillis: 1_000_000 - i * 20 },
        ]),
      );
      const { read } = yield* start(many);
      const found = yield* read;
      const values = found.of("jobSilentSeconds").map(([, value]) => value);
      assert.deepStrictEqual(values, [100, 100, 100, 100]);
      // Those of 60 s and more are from job-2975 on, for halves are rounded up.
      assert.strictEqual(found.unlisted.get("jobSilentSeconds"), 5_000 - 2_975 - 4);
      assert.strictEqual(found.unlisted.get("jobSuspended"), 0);
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("looks at all buffers every few seconds only, and at the cheap things every time", () =>
    Effect.gen(function* () {
      const { put, read, world } = yield* start({ a: {} });
      assert.deepStrictEqual((yield* read).of("jobSuspended"), []);
      put("a", { delivery: "quarantined" });
      world.state = "surging";
      const soon = yield* read;
      assert.deepStrictEqual([soon.of("jobSuspended"), soon.of("admissionState")], [[], [[undefined, 2]]]);
      yield* TestClock.adjust("5 seconds");
      assert.deepStrictEqual((yield* read).of("jobSuspended"), [["a", 1]]);
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("is also what was lost while the node began, before anybody looked", () =>
    Effect.gen(function* () {
      const before = yield* Layer.build(LossesBefore.layer);
      // A partition finds at its start that its log is another one.
      yield* Metric.update(recordsWrittenOff("logLost"), 4);
      const { read } = yield* start({}, before);
      assert.deepStrictEqual((yield* read).of("recordsLost"), [[undefined, 4]]);
      assert.deepStrictEqual((yield* read).of("recordsLost"), [[undefined, 0]]);
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("is what was lost since the last look, and what it was told", () =>
    Effect.gen(function* () {
      const { read } = yield* start({});
      const told = yield* AlertReadings;
      yield* Metric.update(recordsWrittenOff("shed"), 7);
      yield* Metric.update(recordsWrittenOff("skipped"), 5);
      yield* told.set("killSwitchOn", { limit: "pushes" }, 1);
      yield* Metric.update(notServedTotal, 3);
      const found = yield* read;
      assert.deepStrictEqual(found.of("recordsLost"), [[undefined, 7]]);
      assert.deepStrictEqual(found.of("recordsUnwanted"), [[undefined, 3]]);
      assert.deepStrictEqual(found.of("killSwitchOn"), [["pushes", 1]]);
      const later = yield* read;
      assert.deepStrictEqual(
        [...later.of("recordsLost"), ...later.of("recordsUnwanted")],
        [
          [undefined, 0],
          [undefined, 0],
        ],
      );
    }).pipe(Effect.provide(AlertReadings.layer)),
  );
});

describe("a job that has given its place in memory up", () => {
  it.effect("is as suspended as its row says, whether it is being counted or hibernates", () =>
    Effect.gen(function* () {
      const { partition, read, world } = yield* start({});
      world.set = setOf(["counted", "asleep", "well", "off"].map((id) => [id, "acme.d", id !== "off"] as const));
      partition.waitingBuffers.set("counted", new WaitingBuffer(suspendedRow("counted"), true, () => 1));
      for (const id of ["counted", "asleep", "well", "off"]) partition.waiting.set(id, { enabled: true });
      for (const id of ["asleep", "off"]) partition.rows.put(suspendedRow(id, "quarantined"));
      partition.rows.put(suspendedRow("well", "backingOff"));
      const found = yield* read;
      assert.deepStrictEqual(found.of("jobSuspended"), [
        ["counted", 1],
        ["asleep", 1],
      ]);
      // How old their backlogs are no row says: neither well nor ill.
      assert.deepStrictEqual(found.of("jobLagPercent"), []);
      const on = (signal: AlertSignal, job: string) => found.absent(signal, { job, customer: "acme" });
      assert.deepStrictEqual(
        [on("jobSuspended", "asleep"), on("jobSuspended", "well"), on("jobSuspended", "off")],
        [1, 0, 0],
      );
      assert.deepStrictEqual(
        [on("jobLagPercent", "counted"), on("jobSilentSeconds", "asleep")],
        ["unknown", "unknown"],
      );
    }).pipe(Effect.provide(AlertReadings.layer)),
  );

  it.effect("is not for this node to judge once its partition is another's, and nobody's trouble when it is gone", () =>
    Effect.gen(function* () {
      const { owned, partition, read, world } = yield* start({ moves: { delivery: "suspended" } });
      world.set = setOf([
        ["moves", "acme.d", true],
        ["foreign", "other.d", true],
      ]);
      const labels = { job: "moves", customer: "acme" };
      const asked = Effect.map(read, ({ absent }) => absent("jobSuspended", labels));
      assert.strictEqual(yield* asked, 1);
      partition.isClosing = true;
      assert.strictEqual(yield* asked, "unknown");
      owned.clear();
      assert.strictEqual(yield* asked, "elsewhere");
      world.set = setOf([]);
      assert.strictEqual(yield* asked, 0, "the job is gone");
    }).pipe(Effect.provide(AlertReadings.layer)),
  );
});

describe("what a node is told", () => {
  it.effect("holds until it is set anew or cleared, and has a bound", () =>
    Effect.gen(function* () {
      const told = yield* AlertReadings;
      yield* told.set("configRefused", { rule: "empty", check: "a" }, 1);
      yield* told.set("configRefused", { check: "a", rule: "empty" }, 2);
      assert.deepStrictEqual(
        told.list().map(({ value }) => value),
        [2],
      );
      yield* told.set("configRefused", { rule: "shrunk" }, 1);
      yield* told.set("nodesDiverge", {}, 3);
      yield* told.clear("configRefused", { rule: "shrunk" });
      assert.lengthOf(told.list(), 2);
      yield* told.clear("configRefused");
      assert.deepStrictEqual(told.list(), [{ signal: "nodesDiverge", labels: {}, value: 3 }]);
      for (let i = 0; i < 3_000; i++) yield* told.set("killSwitchOn", { name: `switch-${i}` }, 1);
      assert.lengthOf(told.list(), 2_000);
      yield* told.set("nodesDiverge", {}, 0);
      assert.strictEqual(told.list().find(({ signal }) => signal === "nodesDiverge")?.value, 0);
    }).pipe(Effect.provide(AlertReadings.layer)),
  );
});

describe("the worst few", () => {
  it("are the highest, whatever their order", () => {
    for (const order of [
      [1, 2, 3, 4, 5, 6],
      [6, 5, 4, 3, 2, 1],
      [3, 6, 1, 5, 2, 4],
    ]) {
      const few = new WorstFew<string>(3);
      for (const value of order) few.add(value, value >= 2, String(value));
      few.add(0, false, "nothing");
      assert.deepStrictEqual(
        few
          .list()
          .map(({ of }) => of)
          .toSorted(),
        ["4", "5", "6"],
      );
      assert.strictEqual(few.unlisted(), 2);
    }
  });
});
