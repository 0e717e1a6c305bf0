import { Result } from "effect";
import type { GeneratorFaults } from "../../../src/control/rollout/control-options.ts";
import { drillGenerator } from "../../../src/control/rollout/drill-generator.ts";
import type { Generated } from "../../../src/control/generate/generate.ts";
import { encodeManifest, type Manifest, manifestHash } from "../../../src/snapshot/manifest.ts";
import { encodeSegment, type SnapshotEntry } from "../../../src/snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../../../src/snapshot/snapshot.ts";

/** What a generator with a fault makes: nothing, everything, … */
export const generatorFaults = [
  "empty",
  "everything",
  /** One job of twenty-five is not in it. */
  "forgetful",
  /** One job of twenty-five is in it as disabled, or removed, which nobody ordered. */
  "inventive",
  /** A segment's bytes are not what its hash says. */
  "corrupt",
  "otherCell",
  "future",
] as const;
export type GeneratorFault = (typeof generatorFaults)[number];

const share = 25;

/** The real generator, with something done to what goes in, or to what comes out. */
export class BrokenGenerator {
  fault: GeneratorFault | undefined;
  isGateOn = true;
  private base: Snapshot | undefined;

  private readonly drill = drillGenerator({
    isArmed: (name) => name === `generator.${this.fault}`,
    isGuardOn: () => true,
  });

  readonly faults: GeneratorFaults = {
    armed: () => this.fault ?? "",
    isGateOn: () => this.isGateOn,
    isStaged: () => true,
    changed: (entries, base) => {
      this.base = base;
      const given = this.drill.changed(entries, base);
      return this.fault === "inventive" && base !== undefined
        ? { [Symbol.iterator]: () => invented(given, base) }
        : given;
    },
    generated: (generated) => this.broken(this.drill.generated(generated)),
  };

  private broken(generated: Generated): Generated {
    switch (this.fault) {
      case "forgetful":
        return withoutSome(generated, this.base);
      case "corrupt":
        return { ...generated, blobs: new Map([...generated.blobs].map(([hash, stored]) => [hash, cut(stored)])) };
      case "otherCell":
        return remade(generated, { cell: "another cluster" });
      case "future":
        return remade(generated, { createdMillis: generated.manifest.createdMillis + 86_400_000 });
      default:
        return generated;
    }
  }
}

const remade = (generated: Generated, over: Partial<Manifest>, blobs = generated.blobs): Generated => {
  const manifest = { ...generated.manifest, ...over };
  const encoded = encodeManifest(manifest);
  return { manifest, encoded, hash: manifestHash(encoded), blobs };
};

const cut = (stored: Uint8Array): Uint8Array => stored.subarray(0, stored.length - 1);

const withoutSome = (generated: Generated, base: Snapshot | undefined): Generated => {
  const blob = (hash: string) => generated.blobs.get(hash) ?? base?.blob(hash);
  const blobs = new Map(generated.blobs);
  const totals = { ...generated.manifest.totals };
  let seen = 0;
  const segments = generated.manifest.segments.map((mark, segment) => {
    if (mark.entries === 0) return mark;
    const entries = Result.getOrThrow(entriesOf({ manifest: generated.manifest, blob }, segment));
    const left = entries.filter(({ state }) => state === "removed" || seen++ % share !== 0);
    if (left.length === entries.length) return mark;
    totals.jobs -= entries.length - left.length;
    totals.enabled = totals.enabled - enabledIn(entries) + enabledIn(left);
    const { bytes, entries: count, hash, stored } = encodeSegment(left);
    blobs.set(hash, stored);
    return { hash, bytes, entries: count };
  });
  return remade(generated, { segments, totals }, blobs);
};

const enabledIn = (entries: ReadonlyArray<SnapshotEntry>): number =>
  entries.filter(({ state }) => state === "enabled").length;

function* invented(entries: Iterable<SnapshotEntry>, base: Snapshot): Generator<SnapshotEntry> {
  const given = new Set<string>();
  for (const entry of entries) {
    given.add(entry.id);
    yield entry;
  }
  let seen = 0;
  for (const segment of base.manifest.segments.keys()) {
    for (const entry of Result.getOrThrow(entriesOf(base, segment))) {
      if (given.has(entry.id) || entry.state !== "enabled" || seen++ % share !== 0) continue;
      if (seen % 2 === 0) yield { ...entry, state: "removed", revision: entry.revision + 1, data: new Uint8Array() };
      else yield { ...entry, state: "disabled", revision: entry.revision + 1, data: disabled(entry.data) };
    }
  }
}

const disabled = (data: Uint8Array): Uint8Array =>
  Buffer.from(Buffer.from(data).toString().replace('"enabled":true', '"enabled":false'));
