import { assert, it } from "@effect/vitest";
import { Effect, Result } from "effect";
import { decodeManifest, encodeManifest, type Manifest } from "../../src/snapshot/manifest.ts";
import { entry, Snapshots } from "./snapshot-fixture.ts";

/** The same, with its members the other way round. */
const turned = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, member]) => [name, turned(member)]),
  );
};

it.effect("equal manifests have equal bytes, whichever way they came to be", () =>
  Effect.gen(function* () {
    const jobs = [entry("a", "ant"), entry("b", "bee"), { ...entry("c", "cat"), dataset: "audit" }];
    const { snapshot } = yield* new Snapshots().next(jobs);
    const manifest: Manifest = { ...snapshot.manifest, rollbackOf: 7 };
    const encoded = encodeManifest(manifest);
    assert.deepStrictEqual(encodeManifest(turned(manifest) as Manifest), encoded);
    const read = Result.getOrThrow(decodeManifest(encoded));
    assert.deepStrictEqual(read, manifest);
    assert.deepStrictEqual(encodeManifest(read), encoded);
  }),
);
