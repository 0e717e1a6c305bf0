import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { answerCommand } from "../../../src/control/rollout/commands.ts";
import { type ControlOptions, noFaults } from "../../../src/control/rollout/control-options.ts";
import { tell } from "../../../src/control/rollout/deeds.ts";
import { type Desk, openDesk } from "../../../src/control/rollout/desk.ts";
import { proposeIfDue } from "../../../src/control/rollout/next-rollout.ts";
import { NodeReports } from "../../../src/control/rollout/node-reports.ts";
import type { ConfigStatus, RolloutRecord } from "../../../src/domain/config-report.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import type { SnapshotRef } from "../../../src/actors/rollout/machine.ts";
import { decodeManifest } from "../../../src/snapshot/manifest.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { limits, storedJob } from "../../support/world.ts";
import { ScriptedConfigStore } from "./scripted-config-store.ts";
import { refOf, servedJobs, snapshotOf } from "./snapshots.ts";

/** Sixty customers in force; some destinations may not be delivered to. A node serves at once what it is told. */
const start = Effect.gen(function* () {
  yield* TestClock.setTime(1_000_000);
  const first = yield* snapshotOf(7, { customers: 60, revision: 1 });
  const { stored, table } = servedJobs(60);
  const world = { current: first, position: 10, forbidden: new Set<string>() };
  const ended: Array<RolloutRecord> = [];
  const scripted = new ScriptedConfigStore();
  const known: Array<Snapshot> = [first];
  const blob = (name: string) => known.map((each) => each.blob(name)).find((each) => each !== undefined);
  const options = {
    node: "one",
    limits: { ...limits, smallChangeJobsMax: 3, rolloutWatchMillis: 0, addedPercentMax: 100 },
    store: scripted.store,
    stored,
    position: () => world.position,
    isCaughtUp: () => true,
    cell: () => "cell",
    current: () => world.current,
    fetch: ({ hash, number }: SnapshotRef) =>
      Effect.map(Effect.fromResult(decodeManifest(scripted.manifests.get(number)!)), (manifest) => {
        return { manifest, hash, blob } satisfies Snapshot;
      }),
    inStore: (id: string) => Effect.succeed(stored.get(id)),
    problemOf: ({ id }: { readonly id: string }) => (world.forbidden.has(id) ? "a private address" : undefined),
    catalogue: () => ({ hash: first.manifest.catalogue.hash, content: Buffer.from("[]") }),
    faults: noFaults,
    audit: () => Effect.void,
    ended: (record: RolloutRecord) => Effect.sync(() => void ended.push(record)),
  } as unknown as ControlOptions;
  const desk = yield* openDesk(options, new NodeReports());
  desk.state = { ...desk.state, published: refOf(first), highest: 7 };
  /** Stores another job of each of these customers; @returns their ids */
  const change = (...customers: ReadonlyArray<number>) =>
    customers.map((customer) => {
      const id = `j-${customer}`;
      const { job } = storedJob(id, `c-${customer}`, { weight: (world.position % 9) + 1 });
      stored.put({ job, revision: ++world.position }, encodeJob(job));
      return id;
    });
  /** Everything that goes out or is refused by itself until nothing is due: whose changes, and what became of them. */
  const settle = Effect.gen(function* () {
    const before = ended.length;
    for (let turn = 0; turn < 12; turn++) {
      yield* TestClock.adjust("3 seconds");
      const count = ended.length;
      yield* proposeIfDue(desk);
      const { proposal } = desk;
      if (desk.machine.value === "promoting" && proposal !== undefined) {
        known.push(proposal.snapshot);
        const changed = [...proposal.taken!.pending.puts()].filter(
          ({ pairKey }) => proposal.taken!.customers?.has(pairKey.split(".")[0]!) ?? true,
        );
        for (const { id } of changed) {
          const now = stored.get(id)!;
          if (now.revision <= proposal.taken!.storedPosition) table.put(now, encodeJob(now.job));
        }
        world.current = proposal.snapshot;
        const nowMillis = 1_000_000;
        for (let step = 0; step < 8 && isUnderWay(desk); step++) {
          yield* tell(desk, { type: "nodes.adopted", nowMillis });
          yield* tell(desk, { type: "signals.read", breached: null, nowMillis });
        }
        stored.settle(changed.map(({ id }) => id));
      }
      if (ended.length === count && turn > 2) break;
    }
    return ended.slice(before).map(({ result, verdict }) => {
      const { customers, jobs } = verdict!.radius;
      return `${result} ${customers.touched}${jobs.edited > 0 ? "" : " of nothing"}`;
    });
  });
  const isRefused = Effect.map(
    answerCommand(desk, { op: "status" }),
    (said) => (said as { readonly done: ConfigStatus }).done.refusal !== null,
  );
  return { change, desk, ended, isRefused, settle, stored, world };
});

const isUnderWay = ({ machine }: Desk): boolean => machine.value !== "idle";

describe("what is refused as it goes out by itself", () => {
  it.effect("holds nobody else back; it is looked at once more when something else has come into force", () =>
    Effect.gen(function* () {
      const { change, isRefused, settle, stored, world } = yield* start;
      const [bad = ""] = change(0);
      world.forbidden.add(bad);
      change(1, 2);
      assert.deepStrictEqual(yield* settle, ["refused 1", "complete 1", "complete 1", "refused 1"]);
      assert.isTrue(yield* isRefused);
      assert.deepStrictEqual(yield* settle, [], "and not again and again");
      // What comes later does not wait either.
      change(3);
      assert.deepStrictEqual(yield* settle, ["complete 1", "refused 1"]);
      assert.strictEqual(stored.pending, 1);
      world.forbidden.clear();
      change(0);
      assert.deepStrictEqual(yield* settle, ["complete 1"]);
      assert.isFalse(yield* isRefused);
      assert.strictEqual(stored.pending, 0);
    }),
  );

  it.effect("is a wave: its customers do not trickle through one by one, others go on", () =>
    Effect.gen(function* () {
      const { change, isRefused, settle, stored, world } = yield* start;
      const wave = change(...Array.from({ length: 30 }, (_, i) => i));
      world.forbidden.add(wave[17]!);
      assert.deepStrictEqual(yield* settle, ["refused 30"]);
      change(40);
      assert.deepStrictEqual(yield* settle, ["complete 1", "refused 30"]);
      assert.isTrue(yield* isRefused);
      assert.strictEqual(stored.pending, 30);
      // One of them has thought better of it.
      world.forbidden.clear();
      change(17);
      assert.deepStrictEqual(yield* settle, ["complete 1", "complete 29"]);
      assert.isFalse(yield* isRefused);
    }),
  );

  it.effect("can be accepted by its hash while others have theirs, unless it is another one since", () =>
    Effect.gen(function* () {
      const { change, desk, settle, world } = yield* start;
      const [bad = ""] = change(0);
      world.forbidden.add(bad);
      assert.deepStrictEqual(yield* settle, ["refused 1"]);
      const hash = desk.refused!.snapshot.hash;
      const apply = answerCommand(desk, { op: "apply", accept: hash, who: "test", why: "" });
      // Of another customer, and not in force yet: that takes nothing from it.
      change(1);
      world.forbidden.clear();
      const answer = yield* apply;
      assert.property(answer, "done", JSON.stringify(answer));
      assert.strictEqual(desk.machine.context.target?.hash, hash);
    }),
  );

  it.effect("and was changed since, is no more what was to be accepted", () =>
    Effect.gen(function* () {
      const { change, desk, settle, world } = yield* start;
      const [bad = ""] = change(0);
      world.forbidden.add(bad);
      yield* settle;
      const hash = desk.refused!.snapshot.hash;
      change(0);
      const answer = yield* answerCommand(desk, { op: "apply", accept: hash, who: "test", why: "" });
      assert.match(JSON.stringify(answer), /No snapshot .* waits for being accepted/);
    }),
  );
});
