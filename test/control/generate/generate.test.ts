import { assert, describe, it } from "@effect/vitest";
import { Effect, Result } from "effect";
import { segmentOf } from "../../../src/domain/segment-of.ts";
import { decodeManifest, encodeManifest, manifestHash } from "../../../src/snapshot/manifest.ts";
import { changedSegments } from "../../../src/snapshot/snapshot.ts";
import { entry, Snapshots } from "../../snapshot/snapshot-fixture.ts";

const ids = (entries: ReadonlyArray<{ readonly id: string }>) => entries.map(({ id }) => id).toSorted();

describe("generate", () => {
  it.effect("puts every job into its customer's segment and counts it", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      const jobs = [
        entry("a", "ant"),
        entry("b", "ant", { dataset: "dns" }),
        entry("c", "bee", { state: "disabled" }),
        entry("d", "cat", { state: "removed" }),
      ];
      const { manifest, snapshot } = yield* snapshots.next(jobs);
      assert.deepStrictEqual(ids(snapshots.entries(snapshot)), ["a", "b", "c", "d"]);
      assert.deepStrictEqual(manifest.totals, { jobs: 3, enabled: 2, customers: 2 });
      assert.deepStrictEqual(manifest.datasets, {
        dns: { jobs: 1, enabled: 1, customers: 1 },
        http_requests: { jobs: 2, enabled: 1, customers: 2 },
      });
    }),
  );

  it.effect("makes again only the segments in which something changed", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      const jobs = Array.from({ length: 3_000 }, (_, i) => entry(`job-${i}`, `customer-${i}`));
      const first = yield* snapshots.next(jobs);
      const changed = entry("job-7", "customer-7", { revision: 2, path: "/elsewhere" });
      const second = yield* snapshots.next([changed, entry("new", "customer-7", { revision: 3 })]);
      assert.deepStrictEqual(changedSegments(first.manifest, second.manifest), [segmentOf("customer-7")]);
      assert.strictEqual(second.blobs.size, 1);
      assert.deepStrictEqual(second.manifest.totals, { jobs: 3_001, enabled: 3_001, customers: 3_000 });
      assert.deepStrictEqual(ids(snapshots.entries(second.snapshot)), ids([...jobs, { id: "new" }]));
      // The same content, made in one go, is the same segments.
      const whole = yield* new Snapshots().next(snapshots.entries(second.snapshot));
      assert.deepStrictEqual(whole.manifest.segments, second.manifest.segments);
      assert.deepStrictEqual(whole.manifest.totals, second.manifest.totals);
      assert.deepStrictEqual(whole.manifest.datasets, second.manifest.datasets);
    }),
  );

  it.effect("forgets a removed job only where it is told so, and when its segment changes anyway", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      yield* snapshots.next([entry("a", "ant"), entry("b", "ant")]);
      const removed = yield* snapshots.next([entry("a", "ant", { state: "removed", revision: 5 })]);
      assert.deepStrictEqual(ids(snapshots.entries(removed.snapshot)), ["a", "b"]);
      assert.strictEqual(removed.manifest.totals.jobs, 1);
      const later = yield* snapshots.next([entry("b", "ant", { revision: 6 })], {
        mayForget: ({ revision }) => revision <= 5,
      });
      assert.deepStrictEqual(ids(snapshots.entries(later.snapshot)), ["b"]);
      assert.strictEqual(later.manifest.totals.jobs, 1);
    }),
  );

  it.effect("says what is wrong when what it builds on cannot be read", () =>
    Effect.gen(function* () {
      const snapshots = new Snapshots();
      const { snapshot } = yield* snapshots.next([entry("a", "ant")]);
      const lost = { ...snapshot, blob: () => undefined };
      const failure = yield* snapshots.next([entry("b", "ant")], { previous: lost }).pipe(Effect.flip);
      assert.match(failure, /segment \d+: .*missing/);
    }),
  );
});

describe("a manifest", () => {
  it.effect("is itself after a journey, and is refused when any byte of it is another one", () =>
    Effect.gen(function* () {
      const { encoded, hash, manifest } = yield* new Snapshots().next([entry("a", "ant")]);
      assert.deepStrictEqual(Result.getOrThrow(decodeManifest(encoded)), manifest);
      assert.strictEqual(manifestHash(encodeManifest(manifest)), hash);
      assert.isBelow(encoded.length, 80_000);
      for (let at = 0; at < encoded.length; at += 101) {
        const flipped = Buffer.from(encoded);
        flipped[at]! ^= 1;
        const read = decodeManifest(flipped);
        assert.isTrue(Result.isFailure(read) && read.failure.rule === "hashMismatch", `byte ${at}`);
        assert.isTrue(Result.isFailure(decodeManifest(encoded.subarray(0, at))), `cut at ${at}`);
      }
      const large = decodeManifest(Buffer.alloc(300_000));
      assert.isTrue(Result.isFailure(large) && large.failure.rule === "tooLarge");
    }),
  );
});
