import { jetstream } from "@nats-io/jetstream";
import { assert } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { Jobs } from "../../src/actors/ports/jobs.ts";
import type { Dataset } from "../../src/domain/dataset.ts";
import { PushJob } from "../../src/domain/push-job.ts";
import type { CurrentCatalogue, GeneratorFaults } from "../../src/control/rollout/control-options.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { reportConfig } from "../../src/node/report-config.ts";
import { RolloutSignals } from "../../src/node/rollout-signals.ts";
import { runControl, type RunControlOptions } from "../../src/node/run-control.ts";
import { layerServedJobs } from "../../src/node/served-jobs.ts";
import { encodeCatalogue } from "../../src/snapshot/catalogue.ts";
import { encodeBlob } from "../../src/snapshot/segment.ts";
import type { JobStore } from "../../src/streams/job-store.ts";
import { attempt, Nats } from "../../src/streams/nats.ts";
import { startNats } from "./nats-server.ts";
import { limits } from "./world.ts";
import { removeTree } from "./remove-tree.ts";

/** A push job to a file. */
export const job = (id: string, changes: object = {}): PushJob =>
  PushJob.make({
    id,
    customer: "acme",
    dataset: "http_requests",
    enabled: true,
    destination: { kind: "file", path: `/out/${id}` },
    batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
    ...changes,
  } as never);

export interface ConfigNodeOptions {
  readonly name?: string;
  readonly limits?: Partial<Limits>;
  readonly faults?: GeneratorFaults;
  /** Where the last known good is kept; by default a directory of its own. */
  readonly dataDirectory?: string;
  /** Told what the control process decides. */
  readonly audit?: RunControlOptions["audit"];
  /** Of its files; by default empty. */
  readonly catalogue?: () => CurrentCatalogue;
  /** Whether it may lead. */
  readonly controls?: boolean;
}

/** The files of a catalogue. */
export const catalogueOf = (...datasets: ReadonlyArray<Dataset>): CurrentCatalogue => {
  const content = encodeCatalogue(datasets);
  return { content, hash: encodeBlob(content).hash };
};
const noDatasets = catalogueOf();

/** As in development: everything goes to everybody at once. */
const atOnce = { rolloutCanaryPercent: 100, rolloutWatchMillis: 0, addedPercentMax: 100, removalGraceSeconds: 0 };

/** What a node does with push jobs: it stores, rolls out and serves them. */
export const configNode = (url: string, over: ConfigNodeOptions = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const dataDirectory = over.dataDirectory ?? (yield* temporaryDirectory);
      const nodeName = over.name ?? "test";
      const options = {
        partitions: 8,
        replicas: 1,
        nodeName,
        dataDirectory,
        allowPrivateDestinations: true,
        catalogue: over.catalogue ?? (() => noDatasets),
        limits: { ...limits, ...atOnce, ...over.limits },
        audit: over.audit ?? (() => Effect.void),
        ...(over.faults === undefined ? {} : { faults: over.faults }),
      };
      const reports = reportConfig(nodeName, new RolloutSignals(() => new Map()));
      const works = over.controls === false ? reports : Effect.andThen(reports, runControl(options));
      return Layer.effectDiscard(works).pipe(Layer.provideMerge(layerServedJobs(options)));
    }),
  ).pipe(Layer.provideMerge(Nats.layer({ servers: url, name: over.name ?? "test" })));

export const node = (url: string, jobsMax = 20_000) => configNode(url, { limits: { jobsMax } });

export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "spillway-test-"))),
  (path) => Effect.promise(() => removeTree(path)),
);

/** A nats-server of its own for as long as the scope lives. */
export const server = Effect.acquireRelease(
  Effect.promise(() => startNats(inject("natsServer"))),
  (nats) => Effect.promise(() => nats[Symbol.asyncDispose]()),
);

/** One node against a nats-server of its own. */
export const onNode = <A, E>(test: Effect.Effect<A, E, JobStore | Jobs | Nats>) =>
  Effect.flatMap(server, ({ url }) => test.pipe(Effect.provide(node(url)))).pipe(Effect.scoped);

/** Polls until it is so. @returns how many millis that took */
export const until = Effect.fnUntraced(function* (isSo: () => boolean, deadlineMillis: number) {
  const start = performance.now();
  while (!isSo()) {
    if (performance.now() - start > deadlineMillis) assert.fail(`not so after ${deadlineMillis} ms`);
    yield* Effect.sleep(10);
  }
  return performance.now() - start;
});

/** A write past our own code, as another tool would do it. */
export const foreignPut = Effect.fnUntraced(function* (id: string, data: Uint8Array | string) {
  const { control } = yield* Nats;
  return yield* attempt("kv", () => jetstream(control).publish(`$KV.jobs.${id}`, data)).pipe(
    Effect.map(({ seq }) => seq),
  );
});
