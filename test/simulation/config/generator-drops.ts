import type { GeneratorFaults } from "../../../src/control/rollout/control-options.ts";
import type { Generated } from "../../../src/control/generate/generate.ts";
import { encodeManifest, manifestHash } from "../../../src/snapshot/manifest.ts";
import { encodeSegment } from "../../../src/snapshot/segment.ts";
import { entriesOf } from "../../../src/snapshot/snapshot.ts";
import type { ConfigWorld } from "./config-world.ts";

/** A generator that, beside what a drill has broken, loses some jobs by mistake: its manifest says nothing of them. */
export const dropping = (world: ConfigWorld, faults: GeneratorFaults): GeneratorFaults => {
  const isOn = () => world.armed.has("generator.drops");
  return {
    ...faults,
    armed: () => faults.armed() + (isOn() ? "drops" : ""),
    generated: (generated) => (isOn() ? dropped(world, faults.generated(generated)) : faults.generated(generated)),
  };
};

const dropped = ({ configs }: ConfigWorld, generated: Generated): Generated => {
  const blobs = new Map(generated.blobs);
  const blob = (hash: string) => blobs.get(hash) ?? configs.blobs.get(hash);
  const { manifest } = generated;
  const segments = [...manifest.segments];
  let lost = 0;
  for (let i = 0; i < segments.length && lost === 0; i++) {
    if (segments[i]!.entries === 0) continue;
    const entries = entriesOf({ manifest, blob }, i);
    if (entries._tag === "Failure") continue;
    const left = entries.success.filter(({ state }) => state !== "enabled");
    lost = entries.success.length - left.length;
    if (lost === 0) continue;
    const { bytes, entries: count, hash, stored } = encodeSegment(left);
    segments[i] = { hash, bytes, entries: count };
    blobs.set(hash, stored);
  }
  const { http_requests: of = { jobs: lost, enabled: lost, customers: 1 }, ...others } = manifest.datasets;
  const { customers, enabled, jobs } = manifest.totals;
  const next = {
    ...manifest,
    segments,
    totals: { jobs: jobs - lost, enabled: enabled - lost, customers: customers - Math.min(1, lost) },
    datasets: { ...others, http_requests: { ...of, jobs: of.jobs - lost, enabled: of.enabled - lost } },
  };
  const encoded = encodeManifest(next);
  return { manifest: next, encoded, hash: manifestHash(encoded), blobs };
};
