import { Effect, Exit, Layer, Scope } from "effect";
import { DrillFaults } from "../../../src/actors/ports/drill-faults.ts";
import { drillGenerator } from "../../../src/control/rollout/drill-generator.ts";
import { adoptInto } from "../../../src/node/adopt-snapshot.ts";
import { followConfig } from "../../../src/node/follow-config.ts";
import { settleKnownRemovals } from "../../../src/node/known-removals.ts";
import { reportConfig } from "../../../src/node/report-config.ts";
import { RolloutSignals } from "../../../src/node/rollout-signals.ts";
import { runControl } from "../../../src/node/run-control.ts";
import { isWholeJob, NodeConfiguration } from "../../../src/node/served-jobs.ts";
import { makeConfigServing } from "../../../src/serving/config-serving.ts";
import type { LastKnownGood } from "../../../src/serving/last-known-good.ts";
import { makeJobServing } from "../../../src/streams/job-serving.ts";
import { JobTable } from "../../../src/streams/job-table.ts";
import { Nats } from "../../../src/streams/nats.ts";
import { StoredJobs } from "../../../src/streams/stored-jobs.ts";
import { catalogueOf } from "../../support/job-nodes.ts";
import type { Life } from "../life.ts";
import { assertMayServe, servedIn } from "./config-verdicts.ts";
import type { ConfigWorld } from "./config-world.ts";
import { dropping } from "./generator-drops.ts";

const partitions = 8;
const graceMillis = 1_000;
const noDatasets = catalogueOf();

/** A node's disk: what a node that is killed had written is there for the next one. */
const diskOf = ({ dice, disks }: ConfigWorld, life: Life): LastKnownGood => ({
  load: Effect.sync(() => disks.get(life.name)),
  save: (snapshot, encoded) =>
    Effect.suspend(() => Effect.sleep(dice.int(0, 400))).pipe(
      Effect.andThen(
        Effect.sync(() => {
          if (!life.isDead) disks.set(life.name, { ...snapshot, encoded });
        }),
      ),
    ),
});

const natsOf = ({ bus }: ConfigWorld, life: Life) => {
  const connection = bus.connection(life) as never;
  const connected = () => !life.isDead && !life.isCutOff;
  return Nats.of({ publish: connection, read: connection, control: connection, connected });
};

/** Stored jobs as a node follows them: late, and again from an earlier place when it is told so. */
const feedOf = ({ dice, ordered }: ConfigWorld, stored: StoredJobs, from: number) => {
  let position = from;
  let isCaughtUp = false;
  /** A slice of the store: of each job in it what is newest, and its removal before that. */
  const pump = () => {
    const asked = dice.int(1, 200);
    const slice = ordered.orders.slice(position, position + asked);
    for (const { id, job, revision } of slice) if (job === undefined) stored.delete(id, revision);
    for (const { data, id, job, revision } of new Map(slice.map((each) => [each.id, each])).values()) {
      if (job === undefined) stored.delete(id, revision);
      else stored.put({ job, revision }, data);
    }
    position += slice.length;
    isCaughtUp ||= slice.length < asked;
  };
  return {
    pump,
    feed: {
      entries: stored,
      position: () => position,
      nudge: () => undefined,
      isKnown: () => true,
      isCaughtUp: () => isCaughtUp,
      rewind: (to: number) => {
        if (to < position) isCaughtUp = false;
        position = Math.min(position, to);
      },
    },
  };
};

/** All that a node does with its configuration, on stores and a network that are scripted. */
const build = Effect.fnUntraced(function* (world: ConfigWorld, life: Life) {
  const { cell, dice, drill, limits } = world;
  const store = world.configs.service(dice, life);
  const table = new JobTable(partitions);
  const stored = new StoredJobs(table, partitions);
  const adopted = adoptInto(table, stored, { ...limits, cell: () => cell, isGraceOn: () => true });
  const serving = yield* makeConfigServing(diskOf(world, life), {
    limits,
    cell: () => cell,
    isGateOn: () => drill.isGuardOn("servingGate"),
    isJob: isWholeJob,
    servedPair: stored.servedPair,
    adopt: adopted.adopt,
  });
  const { feed, pump } = feedOf(world, stored, serving.current()?.manifest.position ?? 0);
  adopted.onRewound(feed.rewind);
  const follower = yield* followConfig(store, serving, {
    nodeName: life.name,
    limits,
    isCorrupt: () => drill.isArmed("snapshot.corrupt"),
    judged: () => undefined,
  });
  const jobServing = yield* makeJobServing(adopted.served(), adopted.served);
  adopted.onAdopted(jobServing.changed);
  jobServing.changed();
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(graceMillis), adopted.endGrace)));
  let notify = () => {};
  const configuration = NodeConfiguration.of({
    bucket: bucketOf(world, life),
    store,
    stored,
    feed,
    serving,
    follower,
    openings: [],
    cell: () => cell,
    isInForce: () => jobServing.served() === adopted.served().set,
    isBlank: adopted.isBlank,
    onTouched: adopted.onTouched,
    onNews: (call: () => void) => {
      notify = call;
    },
  });
  // Owners hear of each set before forwarders do.
  yield* jobServing.onChange((set) =>
    Effect.sync(() => {
      if (life.isDead) return;
      try {
        const now = servedIn(set);
        world.counts.sets += 1;
        assertMayServe(world.watched(), world.lastServed.get(life.name), now);
        world.lastServed.set(life.name, now);
      } catch (error) {
        world.failures.push(error);
      }
    }),
  );
  yield* Effect.gen(function* () {
    yield* reportConfig(life.name, new RolloutSignals(() => new Map()));
    yield* runControl({
      nodeName: life.name,
      limits,
      allowPrivateDestinations: true,
      audit: () => Effect.void,
      catalogue: () => noDatasets,
      faults: dropping(world, drillGenerator(drill)),
    });
  }).pipe(Effect.provideService(NodeConfiguration, configuration));
  return {
    life,
    served: jobServing.served,
    stored,
    follower,
    serving,
    hear: () => {
      pump();
      settleKnownRemovals(stored, serving.current());
      notify();
    },
  };
});

const bucketOf = ({ dice, ordered }: ConfigWorld, life: Life): NodeConfiguration["Service"]["bucket"] =>
  ({
    read: (id: string) =>
      Effect.suspend(() => Effect.sleep(dice.int(0, 3))).pipe(
        Effect.andThen(Effect.suspend(() => life.unlessFaulty(dice, 0.01, { detail: "scripted" }))),
        Effect.andThen(
          Effect.sync(() => {
            const order = ordered.newestOf(id);
            return order && { revision: order.revision, removed: order.job === undefined, job: order.job };
          }),
        ),
      ),
  }) as never;

export const begin = Effect.fnUntraced(function* (world: ConfigWorld, life: Life) {
  const scope = yield* Scope.make();
  // On its disk may be less than it served: it goes on with that, or with what it is told.
  const kept = world.disks.get(life.name);
  const last = world.lastServed.get(life.name);
  if (last !== undefined && (kept?.manifest.number ?? 0) < last.number) world.lastServed.delete(life.name);
  const node = yield* build(world, life).pipe(
    Effect.provide(Layer.succeed(DrillFaults, world.drill)),
    Effect.provideService(Nats, natsOf(world, life)),
    Scope.provide(scope),
  );
  return { ...node, scope };
});
export type RunningNode = Effect.Success<ReturnType<typeof begin>>;

export const kill = ({ life, scope }: RunningNode) =>
  Effect.suspend(() => {
    life.isDead = true;
    return Scope.close(scope, Exit.void);
  });
