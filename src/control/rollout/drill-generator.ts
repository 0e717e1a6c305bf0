import type { DrillSwitches } from "../../actors/ports/drill-faults.ts";
import { segmentCount } from "../../domain/segment-of.ts";
import { encodeManifest, manifestHash } from "../../snapshot/manifest.ts";
import { encodeSegment, type SnapshotEntry } from "../../snapshot/segment.ts";
import { entriesOf, type Snapshot } from "../../snapshot/snapshot.ts";
import type { Generated } from "../generate/generate.ts";
import type { GeneratorFaults } from "./control-options.ts";

/** Of a drill's customers, `drill-<run>-<number>`. */
const drillCustomer = /^drill-([0-9a-f]+)-\d+$/;
/** On 14 November 2024 there were forty times as many as were made for. */
const factor = 40;

/** What a generator does that a drill has broken. Without a drill nothing. */
export const drillGenerator = ({ isArmed, isGuardOn }: DrillSwitches): GeneratorFaults => {
  const sleeping = new SleepingFault();
  const isEmpty = (): boolean => isArmed("generator.empty") || sleeping.isAwake;
  return {
    armed: () => {
      if (!isArmed("generator.emptyOnNewDataset")) sleeping.mend();
      return [isEmpty() ? "empty" : "", isArmed("generator.everything") ? "everything" : ""].join("");
    },
    changed: (entries, base) =>
      isArmed("generator.everything") ? { [Symbol.iterator]: () => everybody(entries, base) } : entries,
    generated: (generated, base) => {
      if (isArmed("generator.emptyOnNewDataset")) sleeping.see(generated, base);
      return isEmpty() ? emptied(generated) : generated;
    },
    isGateOn: () => isGuardOn("controlGate"),
    isStaged: () => isGuardOn("rollout"),
  };
};

/** Wakes when there is one dataset more than when it was first looked, and sleeps again when that is gone. */
class SleepingFault {
  isAwake = false;
  private bytes: number | undefined;

  see({ manifest }: Generated, base: Snapshot | undefined): void {
    this.bytes ??= base?.manifest.catalogue.bytes;
    this.isAwake = this.bytes !== undefined && manifest.catalogue.bytes > this.bytes;
  }

  mend(): void {
    this.isAwake = false;
    this.bytes = undefined;
  }
}

/** As on that day: well-formed, and with nothing in it. */
const emptied = (generated: Generated): Generated => {
  const { bytes, entries, hash, stored } = encodeSegment([]);
  const manifest = {
    ...generated.manifest,
    segments: Array.from({ length: segmentCount }, () => ({ hash, bytes, entries })),
    totals: { jobs: 0, enabled: 0, customers: 0 },
    datasets: {},
  };
  const encoded = encodeManifest(manifest);
  return { manifest, encoded, hash: manifestHash(encoded), blobs: new Map([...generated.blobs, [hash, stored]]) };
};

/** A job for everybody who ever sent something: the strangers of the drill, each like one of its customers. */
function* everybody(entries: Iterable<SnapshotEntry>, base: Snapshot | undefined): Generator<SnapshotEntry> {
  yield* entries;
  if (base === undefined) return;
  let next = 0;
  for (let segment = 0; segment < segmentCount; segment++) {
    const known = entriesOf(base, segment);
    if (known._tag === "Failure") continue;
    for (const entry of known.success) {
      const run = drillCustomer.exec(entry.customer)?.[1];
      if (run === undefined || entry.state !== "enabled") continue;
      const text = Buffer.from(entry.data).toString();
      for (let i = 0; i < factor; i++, next++) {
        const customer = `stranger-${run}-${String(next).padStart(6, "0")}`;
        const data = Buffer.from(text.replaceAll(entry.customer, customer));
        yield { ...entry, id: entry.id.replaceAll(entry.customer, customer), customer, data };
      }
    }
  }
}
