import { Effect } from "effect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { freePort, killHard, startSpillway } from "./spillway-process.ts";

/** A node in a process of its own, with one push job of the customer `acme` to this URL. Ends with its scope. */
export const startOneJobNode = Effect.fnUntraced(function* (
  destination: string,
  batch: { readonly maxIntervalSeconds: number; readonly maxRecords?: number },
) {
  const data = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-node-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 })),
  );
  const jobs = join(data, "jobs.yaml");
  const job = { id: "acme-http", customer: "acme", dataset: "http_requests", batch };
  yield* Effect.promise(() =>
    writeFile(jobs, JSON.stringify({ jobs: [{ ...job, destination: { kind: "http", url: destination } }] })),
  );
  const port = yield* Effect.promise(freePort);
  return yield* Effect.acquireRelease(
    Effect.promise(() => startSpillway({ data, jobs, port, nats: inject("natsServer") })),
    ({ child, exited, natsPid }) =>
      Effect.promise(async () => {
        const nats = natsPid();
        killHard(child.pid!);
        await exited;
        killHard(nats);
      }),
  );
});
