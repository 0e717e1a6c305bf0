import { Effect } from "effect";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { Limits } from "../../src/domain/limits.ts";
import { freePort, killHard, startSpillway } from "./spillway-process.ts";
import { removeTree } from "./remove-tree.ts";

/** A node in a process of its own, with one push job of the customer `acme` to this URL. Ends with its scope. */
export const startOneJobNode = (
  destination: string,
  batch: { readonly maxIntervalSeconds: number; readonly maxRecords?: number },
) => startNode([{ id: "acme-http", customer: "acme", destination, batch }]);

/** A node in a process of its own, with HTTP push jobs of the dataset `http_requests`. Ends with its scope. */
export const startNode = Effect.fnUntraced(function* (
  jobsOf: ReadonlyArray<{
    readonly id: string;
    readonly customer: string;
    /** A URL. */
    readonly destination: string;
    readonly batch: { readonly maxIntervalSeconds: number; readonly maxRecords?: number };
  }>,
  settings: { readonly limits?: Partial<Limits>; readonly partitions?: number } = {},
) {
  const data = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-node-"))),
    (folder) => Effect.promise(() => removeTree(folder)),
  );
  const jobs = join(data, "jobs.yaml");
  const config = join(data, "spillway.json");
  const all = jobsOf.map(({ destination: url, ...job }) => ({
    ...job,
    dataset: "http_requests",
    destination: { kind: "http", url },
  }));
  yield* Effect.promise(async () => {
    await writeFile(jobs, JSON.stringify({ jobs: all }));
    await writeFile(config, JSON.stringify({ embedded: true, allowPrivateDestinations: true, ...settings }));
  });
  const port = yield* Effect.promise(freePort);
  return yield* Effect.acquireRelease(
    Effect.promise(() => startSpillway({ data, jobs, port, nats: inject("natsServer"), flags: ["--config", config] })),
    ({ child, exited, natsPid }) =>
      Effect.promise(async () => {
        const nats = natsPid();
        killHard(child.pid!);
        await exited;
        killHard(nats);
      }),
  );
});
