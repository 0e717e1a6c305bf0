import { Effect, Result } from "effect";
import { generate, type GenerateInput } from "../../src/control/generate/generate.ts";
import { entriesOf, type Snapshot } from "../../src/snapshot/snapshot.ts";
import { encodeJob } from "../../src/streams/job-codec.ts";
import type { SnapshotEntry } from "../../src/snapshot/segment.ts";
import { storedJob } from "../support/world.ts";

/** A job's entry, as the generator makes one of the store's. */
export const entry = (
  id: string,
  customer: string,
  over: Partial<SnapshotEntry> & { readonly path?: string } = {},
): SnapshotEntry => {
  const { path = "/nowhere", state = "enabled", ...rest } = over;
  const { job } = storedJob(id, customer, {
    enabled: state === "enabled",
    destination: { kind: "file", path },
    ...(rest.dataset === undefined ? {} : { dataset: rest.dataset as never }),
  });
  return {
    id,
    state,
    revision: 1,
    customer,
    dataset: "http_requests",
    data: state === "removed" ? Buffer.alloc(0) : encodeJob(job),
    ...rest,
  };
};

export const gateLimits = {
  jobsMax: 1_000_000,
  segmentBytesMax: 67_108_864,
  smallChangeJobsMax: 5,
  removedPercentMax: 5,
  removedDatasetPercentMax: 20,
  addedPercentMax: 50,
  redirectedPercentMax: 10,
};

/** Makes one snapshot after the other, and keeps the content of all. */
export class Snapshots {
  readonly blobs = new Map<string, Uint8Array>();
  readonly made: Array<Snapshot> = [];

  get last(): Snapshot | undefined {
    return this.made.at(-1);
  }

  next(changed: ReadonlyArray<SnapshotEntry>, over: Partial<GenerateInput> = {}) {
    return generate({
      previous: this.last,
      cell: "here",
      number: (this.last?.manifest.number ?? 0) + 1,
      position: 1,
      changed,
      mayForget: () => false,
      catalogue: Buffer.from("[]"),
      author: "test",
      reason: "test",
      nowMillis: 1,
      ...over,
    }).pipe(
      Effect.map((generated) => {
        for (const [hash, stored] of generated.blobs) this.blobs.set(hash, stored);
        const snapshot = {
          manifest: generated.manifest,
          hash: generated.hash,
          blob: (hash: string) => this.blobs.get(hash),
        };
        this.made.push(snapshot);
        return { ...generated, snapshot };
      }),
    );
  }

  /** All jobs of a snapshot. */
  entries(snapshot: Snapshot): ReadonlyArray<SnapshotEntry> {
    return snapshot.manifest.segments.flatMap((_, segment) => Result.getOrThrow(entriesOf(snapshot, segment)));
  }
}
