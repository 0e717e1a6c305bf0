import { Effect, Exit, Layer, Scope } from "effect";
import { BufferActors } from "../../../src/actors/buffer/actor.ts";
import { DestinationHosts } from "../../../src/actors/destination-host/destination-hosts.ts";
import { Owner } from "../../../src/actors/owner.ts";
import { Jobs } from "../../../src/actors/ports/jobs.ts";
import { Log } from "../../../src/actors/ports/log.ts";
import { adoptInto } from "../../../src/node/adopt-snapshot.ts";
import { makeJobServing } from "../../../src/streams/job-serving.ts";
import { JobTable } from "../../../src/streams/job-table.ts";
import { StoredJobs } from "../../../src/streams/stored-jobs.ts";
import type { Life } from "../life.ts";
import { layerPoisonLetters } from "../poison-letters.ts";
import { inTime } from "../simulate-partition.ts";
import { forward } from "./skew-forwarder.ts";
import { adoptionOf } from "./job-ledger.ts";
import type { SkewWorld } from "./skew-world.ts";

const cell = "cell";
/** As `served-jobs.ts` does it. */
const endGraceMillis = 1_000;

export type SkewNode = Effect.Success<ReturnType<typeof startNode>>;

/** What is in force on a node: what its disk has, and then each snapshot when its turn comes. */
const serve = Effect.fnUntraced(function* (world: SkewWorld, life: Life) {
  const { dice, ledger } = world;
  const table = new JobTable(1);
  const removalGraceSeconds = world.mutant === "noGrace" ? 0 : world.graceSeconds;
  const adopted = adoptInto(table, new StoredJobs(table, 1), {
    cell: () => cell,
    removalGraceSeconds,
    isGraceOn: () => true,
  });
  const memory = { lacking: new Map<string, number | undefined>() };
  const manifestOf = (number: number) => ({ number, position: 0, cell }) as never;
  const adopt = Effect.fnUntraced(function* (before: number | undefined, number: number) {
    const adoption = adoptionOf(before === undefined ? undefined : ledger.at(before), ledger.at(number));
    world.absences.adopt(number, memory, world.nowMillis());
    yield* adopted.adopt(adoption, manifestOf(number));
  });
  let current = world.disks.get(life.name) ?? 1;
  yield* adopt(undefined, current);
  const seen = () => {
    const served = adopted.served();
    world.absences.see(served.set, memory, world.nowMillis());
    return served;
  };
  const jobServing = yield* makeJobServing(seen(), seen);
  adopted.onAdopted(jobServing.changed);
  jobServing.changed();
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(endGraceMillis), adopted.endGrace)));
  const follow = Effect.gen(function* () {
    yield* Effect.sleep(world.isSettling ? 100 : dice.pick([50, 300, 2_000, 5_000, 20_000]));
    const number = ledger.newest().number;
    if (life.isDead || number === current) return;
    yield* adopt(current, number);
    current = number;
    // Its disk is behind what it serves: a node that dies comes back with what it had before.
    yield* Effect.sleep(dice.int(0, 400));
    if (!life.isDead) world.disks.set(life.name, number);
  });
  yield* Effect.forkScoped(Effect.forever(follow));
  return { jobServing, current: () => current };
});

/** A node with a forwarder and an owner, for as long as it lives. */
export const startNode = Effect.fnUntraced(function* (world: SkewWorld, life: Life) {
  const { dice } = world;
  const scope = yield* Scope.make();
  const node = yield* Effect.gen(function* () {
    const serving = yield* serve(world, life);
    const { onChange, served } = serving.jobServing;
    const jobs = Layer.succeed(Jobs, {
      served,
      onChange,
      atRevision: (id, revision) => Effect.succeed(world.ledger.atRevision(id, revision)),
      absence: (id) => Effect.sync(() => (life.faulty && dice.chance(0.1) ? "unknown" : world.ledger.absence(id))),
    });
    const options = { ...world.limits, owner: life.name };
    const layer = Owner.layer(options).pipe(
      Layer.provide(
        BufferActors.layer(options).pipe(
          Layer.provide([
            world.store.layer(dice, life),
            DestinationHosts.layer(options),
            layerPoisonLetters(world, life),
          ]),
        ),
      ),
      Layer.provide([jobs, Layer.succeed(Log, world.logOf(life)), world.checkpointsOf(life)]),
    );
    const context = yield* Layer.build(Layer.fresh(layer));
    const owner = context.mapUnsafe.get(Owner.key) as Owner["Service"];
    yield* Effect.forkScoped(forward(world, life, served));
    return { life, owner, served, current: serving.current };
  }).pipe(Scope.provide(scope));
  return { ...node, scope };
});

export const endNode = ({ life, scope }: SkewNode) =>
  Effect.suspend(() => {
    life.isDead = true;
    return inTime(Scope.close(scope, Exit.void));
  });
