import { Clock, Effect } from "effect";
import type { JobSet } from "../../../src/actors/ports/jobs.ts";
import { pairKey } from "../../../src/domain/partition.ts";
import type { Life } from "../life.ts";
import { customers } from "./job-ledger.ts";
import type { SkewWorld } from "./skew-world.ts";

const pairs = customers.map((customer) => pairKey(customer, "http_requests"));

/**
 * A forwarder at work: lets in what its set has a job for, and writes it a moment later, under the number of the set
 * that it has then. As much as it wrote it has acknowledged.
 */
export const forward = Effect.fnUntraced(function* (world: SkewWorld, life: Life, served: () => JobSet) {
  const { dice, log } = world;
  let writer = { incarnation: world.incarnation(), number: 0, absent: 0, recordsBefore: 0 };
  while (true) {
    yield* Effect.sleep(dice.chance(0.1) ? dice.int(300, 3_000) : dice.int(20, 250));
    if (world.isQuiet) continue;
    const set = served();
    const wanted = pairs.filter((key) => set.pairs.has(key) && dice.chance(0.5));
    yield* Effect.sleep(dice.int(0, 150));
    // As the outbox does it: what is served no more by then is not stored.
    const stored = wanted.filter((key) => served().pairs.has(key));
    if (life.isDead) return;
    if (stored.length === 0) continue;
    const chunks = stored.map((key) => log.chunk(key, dice.int(1, 4), dice.pick(["raw", "gzip"])));
    writer = { ...writer, number: writer.number + 1 };
    log.jobSet = served().number;
    const nowMillis = yield* Clock.currentTimeMillis;
    const { records, sequence } = log.append(nowMillis, writer, chunks);
    for (const key of stored) {
      const jobs = (set.byPair.get(key) ?? []).map(({ job }) => job.id as string);
      world.acknowledged.push({ sequence, pairKey: key, number: log.jobSet, jobs });
    }
    writer = { ...writer, recordsBefore: writer.recordsBefore + records };
  }
});
