import { Effect } from "effect";
import type { Adoption } from "../serving/serving-gate.ts";
import type { Manifest } from "../snapshot/manifest.ts";
import type { SnapshotEntry } from "../snapshot/segment.ts";
import { decodeStoredJob } from "../streams/job-codec.ts";
import type { Numbered } from "../streams/job-serving.ts";
import type { JobTable } from "../streams/job-table.ts";
import type { StoredJobs } from "../streams/stored-jobs.ts";

/** Between two of so many jobs, others have their turn. */
const sliceSize = 5_000;

/** Brings what an adoption changes into the table of served jobs, and makes a set of it when it is whole. */
export const adoptInto = (table: JobTable, stored: StoredJobs, cell: () => string) => {
  let served: Numbered = { set: table.set(0), position: 0 };
  let onAdopted = () => {};
  let onRewound = (_position: number) => {};

  const adopt = Effect.fn("node.adoptSnapshot")(function* ({ put, removed }: Adoption, manifest: Manifest) {
    for (const [i, entry] of put.entries()) {
      if (i % sliceSize === sliceSize - 1) yield* Effect.yieldNow;
      putInto(table, entry);
    }
    for (const id of removed) table.delete(id);
    if (put.length > sliceSize) table.trim();
    stored.setOtherStore(manifest.cell !== cell());
    stored.settle(touched(put, removed));
    // Only now is it whole: whoever asked for a set meanwhile was given the one before.
    served = { set: table.set(manifest.number), position: manifest.position };
    if (manifest.rollbackOf !== undefined) onRewound(manifest.position);
    onAdopted();
  });

  return {
    adopt,
    served: () => served,
    onAdopted: (notify: () => void) => {
      onAdopted = notify;
    },
    /** What is served went back: everything after this position in the store differs from it again. */
    onRewound: (notify: (position: number) => void) => {
      onRewound = notify;
    },
  };
};

const putInto = (table: JobTable, { data, id, revision }: SnapshotEntry): void => {
  const job = decodeStoredJob(id, data);
  // The gate has decoded it.
  if (job === undefined) throw new Error(`the push job ${id} of a snapshot does not decode`);
  table.put({ job, revision }, data);
};

function* touched(put: Adoption["put"], removed: Adoption["removed"]): Generator<string> {
  for (const { id } of put) yield id;
  yield* removed;
}
