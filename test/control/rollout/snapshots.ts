import { Effect } from "effect";
import { generate } from "../../../src/control/generate/generate.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import { JobTable } from "../../../src/streams/job-table.ts";
import { StoredJobs } from "../../../src/streams/stored-jobs.ts";
import { storedJob } from "../../support/world.ts";

/** With so many customers' jobs, each at this revision. */
export const snapshotOf = (number: number, { customers, revision }: { customers: number; revision: number }) =>
  generate({
    previous: undefined,
    cell: "cell",
    number,
    position: revision,
    changed: Array.from({ length: customers }, (_, i) => {
      const { job } = storedJob(`j-${i}`, `c-${i}`, {});
      return {
        id: job.id,
        state: "enabled" as const,
        revision,
        customer: job.customer,
        dataset: job.dataset,
        data: encodeJob(job),
      };
    }),
    mayForget: () => false,
    catalogue: Buffer.from("[]"),
    author: "one",
    reason: "test",
    nowMillis: number,
  }).pipe(
    Effect.map(({ blobs, hash, manifest }): Snapshot => ({ manifest, hash, blob: (name) => blobs.get(name) })),
    Effect.orDie,
  );

/** The same jobs as a node that serves them has them, at revision 1, with nothing pending. */
export const servedJobs = (customers: number) => {
  const table = new JobTable(8);
  const stored = new StoredJobs(table, 8);
  const jobs = Array.from({ length: customers }, (_, i) => storedJob(`j-${i}`, `c-${i}`, {}).job);
  for (const job of jobs) {
    table.put({ job, revision: 1 }, encodeJob(job));
    stored.put({ job, revision: 1 }, encodeJob(job));
  }
  stored.settle(jobs.map(({ id }) => id));
  return { stored, table };
};

export const refOf = ({ hash, manifest }: Snapshot) => ({ number: manifest.number, hash });
