import { assert, it } from "@effect/vitest";
import { Context, Effect, Layer, Metric } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import { NodeConfiguration } from "../../src/node/served-jobs.ts";
import { encodeManifest, type Manifest, manifestHash } from "../../src/snapshot/manifest.ts";
import { encodeBlob, encodeSegment } from "../../src/snapshot/segment.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import { configNode, foreignPut, job, server, until } from "../support/job-nodes.ts";

/** What somebody, or a disk, makes of the snapshot in force; `rule` is why a node must not serve it. */
interface Damage {
  readonly rule: string;
  readonly manifest?: (manifest: Manifest) => Manifest;
  readonly bytes?: (encoded: Uint8Array) => Uint8Array;
  /** What the pointer names, when that is not the hash of these bytes. */
  readonly hash?: string;
}

const flipped = (encoded: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(encoded);
  copy[copy.length >> 1]! ^= 0x10;
  return copy;
};

const damages: Readonly<Record<string, Damage>> = {
  truncated: { rule: "damaged", bytes: (encoded) => encoded.subarray(0, encoded.length >> 1) },
  "with a bit flipped": { rule: "damaged", bytes: flipped },
  "with another hash than was named": { rule: "damaged", hash: "e".repeat(64) },
  "no manifest at all": { rule: "damaged", bytes: () => Buffer.from("hello") },
  "from the future": {
    rule: "fromTheFuture",
    manifest: (manifest) => ({ ...manifest, createdMillis: manifest.createdMillis + 86_400_000 }),
  },
  // By the limits as they are shipped: one segment would be inflated in one go.
  "of 100 MB": {
    rule: "tooLarge",
    manifest: (manifest) => ({
      ...manifest,
      segments: manifest.segments.map((mark, i) =>
        i === 0 ? { ...mark, hash: "c".repeat(64), bytes: 104_857_600 } : mark,
      ),
    }),
  },
  "of a segment that is larger than it says": {
    rule: "damaged",
    manifest: (manifest) => ({
      ...manifest,
      segments: manifest.segments.map((mark, i) => (i === 0 ? { ...mark, hash: bomb.hash, bytes: 65_536 } : mark)),
    }),
  },
  "of 3 GB in small pieces": {
    rule: "tooLarge",
    manifest: (manifest) => ({
      ...manifest,
      segments: manifest.segments.map((mark, i) =>
        i < 60 ? { ...mark, hash: i.toString(16).padStart(64, "b"), bytes: 50_000_000 } : mark,
      ),
    }),
  },
  "of another cluster": { rule: "otherCell", manifest: (manifest) => ({ ...manifest, cell: "elsewhere" }) },
  "with a segment that nobody has": {
    rule: "damaged",
    manifest: (manifest) => ({
      ...manifest,
      segments: manifest.segments.map((mark, i) => (i === 0 ? { ...mark, hash: "d".repeat(64) } : mark)),
    }),
  },
  "with wrong counts": {
    rule: "countsDiffer",
    manifest: (manifest) => ({ ...manifest, totals: { ...manifest.totals, enabled: 3 } }),
  },
  empty: {
    rule: "empty",
    manifest: (manifest) => ({ ...manifest, totals: { jobs: 0, enabled: 0, customers: 0 }, segments: emptySegments }),
  },
  "a rollback to what is not stored": {
    rule: "notARollback",
    manifest: (manifest) => ({ ...manifest, rollbackOf: 999_999 }),
  },
  "a rollback that brings back something else than it says": {
    rule: "notARollback",
    manifest: (manifest) => ({ ...manifest, rollbackOf: manifest.previous, segments: emptySegments }),
  },
  "after a rollback that was none": {
    rule: "notARollback",
    manifest: (manifest) => ({ ...manifest, lastRollback: manifest.number }),
  },
  "without a job that nobody ordered to go": {
    rule: "absentWithoutOrder",
    manifest: (manifest) => ({
      ...manifest,
      segments: manifest.segments.map((mark, i) => (i < 512 ? emptySegments[i]! : mark)),
    }),
  },
};

/** `spillway_config_refused_total` of this rule. */
const refusedBy = (rule: string) =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.find(
      ({ attributes, id }) => id === "spillway_config_refused_total" && attributes?.["rule"] === rule,
    );
    return found?.type === "Counter" ? Number(found.state.count) : 0;
  });

const emptySegment = encodeSegment([]);
/** A few kilobytes that inflate to a hundred million zeros. */
const bomb = encodeBlob(Buffer.alloc(100_000_000));
const emptySegments = Array.from({ length: 1_024 }, () => ({
  hash: emptySegment.hash,
  bytes: emptySegment.bytes,
  entries: 0,
}));

it.live(
  "a damaged snapshot, whatever is wrong with it, is refused with the reason, and traffic is unchanged",
  () =>
    Effect.gen(function* () {
      const { url } = yield* server;
      // Whoever leads would see that it is not what it told: here nobody does after the first.
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const leader = yield* Layer.build(configNode(url, { name: "leader" }));
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, i) => `c${i}`),
            (customer) =>
              foreignPut(`j-${customer}`, encodeJob(job(`j-${customer}`, { customer }))).pipe(
                Effect.provideContext(leader),
              ),
            { concurrency: 8 },
          );
          const served = Context.get(leader, Jobs).served;
          yield* until(() => served().byId.size === 20, 10_000);
          return yield* Context.get(leader, NodeConfiguration).store.pointer;
        }),
      );
      const context = yield* Layer.build(configNode(url, { name: "one", controls: false }));
      const { follower, serving, store } = Context.get(context, NodeConfiguration);
      const jobs = Context.get(context, Jobs);
      yield* until(() => serving.current()?.hash === first?.value.hash && jobs.served().byId.size === 20, 5_000);
      const { manifest } = serving.current()!;
      const before = jobs.served();
      yield* store.putBlob(emptySegment.hash, emptySegment.stored);
      yield* store.putBlob(bomb.hash, bomb.stored);
      let number = manifest.number;
      let revision = first!.revision;
      for (const [what, damage] of Object.entries(damages)) {
        number += 1;
        const good = encodeManifest(
          (damage.manifest ?? ((same) => same))({ ...manifest, number, previous: manifest.number }),
        );
        const bytes = damage.bytes?.(good) ?? good;
        yield* store.putManifest(number, bytes);
        const counted = yield* refusedBy(damage.rule);
        const hash = damage.hash ?? manifestHash(good);
        revision = yield* store.point({ number, hash, accepted: false }, revision);
        yield* until(() => follower.refused()?.number === number, 5_000);
        assert.strictEqual(follower.refused()?.rule, damage.rule, `${what}: ${follower.refused()?.message}`);
        assert.strictEqual(jobs.served(), before, what);
        assert.isAbove(yield* refusedBy(damage.rule), counted, `${what}: it is counted`);
      }
      yield* store.point({ ...first!.value }, revision);
      yield* until(() => follower.refused() === undefined, 5_000);
      assert.strictEqual(jobs.served(), before);
    }).pipe(Effect.scoped),
  60_000,
);
