import { Effect } from "effect";
import { generate } from "../../../src/control/generate/generate.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
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

export const refOf = ({ hash, manifest }: Snapshot) => ({ number: manifest.number, hash });
