import { Effect } from "effect";
import type { FaultName, GuardName } from "../../domain/drill-state.ts";
import type { Limits } from "../../domain/limits.ts";
import type { DrillFailure } from "../drill-failure.ts";
import type { BriskAlerts } from "./brisk-alerts.ts";
import type { InForce } from "./configuration.ts";
import type { NodeClient } from "./node-client.ts";

/** A process that a drill may hold up. */
export interface Pausable {
  readonly name: string;
  readonly pid: () => number;
  /** SIGSTOP: it neither works nor answers, and keeps its connections. */
  readonly pause: Effect.Effect<void>;
  readonly resume: Effect.Effect<void>;
}

/** A Spillway node of the world. */
export interface DrillNode {
  readonly name: string;
  /** Where records go; undefined on a node that takes none. */
  readonly dataUrl: string | undefined;
  readonly client: NodeClient;
  /** Undefined in a running cluster, whose processes are not ours. */
  readonly process: Pausable | undefined;
}

/** Where a drill takes place. The first node is the one that is asked how things are. */
export interface DrillWorld {
  readonly kind: "embedded" | "target";
  readonly nodes: ReadonlyArray<DrillNode>;
  /** The configuration with the drill's push jobs in it, and nothing broken yet. */
  readonly before: InForce;
  /** Where the files of datasets are that its nodes read; undefined in a running cluster. */
  readonly datasets: string | undefined;
  /** Processes that ended without having been told to, with how. */
  readonly ended: () => ReadonlyArray<string>;
}

/** What a drill needs of a world that is made for it. */
export interface WorldPlan {
  readonly limits: Partial<Limits>;
  /** Over the shipped alert rules, by rule: a drill does not wait for minutes. Undefined: the shipped ones. */
  readonly alerts?: BriskAlerts;
  readonly partitions: number;
  /** One node each, with these roles. */
  readonly nodes: ReadonlyArray<ReadonlyArray<"forwarder" | "owner" | "control">>;
}

/** A customer's push job, as the API and a jobs file take it. */
export interface DrillJob {
  readonly id: string;
  readonly customer: string;
  readonly dataset: string;
  readonly destination: { readonly kind: "http"; readonly url: string };
  readonly batch: { readonly maxIntervalSeconds: number };
}

/** Puts it, or puts it in the place of what there is under its id. */
export const putJob = ({ ask }: NodeClient, job: DrillJob) =>
  ask({ method: "PUT", path: `/v1/jobs/${job.id}`, json: job, millisMax: 30_000 });

/** Most in one transaction. */
const changesMax = 1_000;

/** All of them, and without the removed ones: as few transactions as it takes. */
export const putJobs = ({ ask }: NodeClient, jobs: ReadonlyArray<DrillJob>, removed: ReadonlyArray<DrillJob> = []) => {
  const changes = [...jobs.map((put) => ({ put })), ...removed.map(({ id }) => ({ remove: id }))];
  const parts = Array.from({ length: Math.ceil(changes.length / changesMax) }, (_, at) =>
    changes.slice(at * changesMax, (at + 1) * changesMax),
  );
  return Effect.forEach(
    parts,
    (part) =>
      ask({
        method: "POST",
        path: "/v1/jobs/transactions",
        json: { changes: part, reason: "a drill" },
        millisMax: 60_000,
      }),
    { discard: true },
  );
};

const onEvery = (world: DrillWorld, ask: (client: NodeClient) => Effect.Effect<unknown, DrillFailure>) =>
  Effect.forEach(world.nodes, ({ client }) => ask(client), { concurrency: 8, discard: true });

/** On every node. It disarms itself after so many seconds, should nobody else. */
export const armFault = (world: DrillWorld, name: FaultName, seconds: number) =>
  onEvery(world, ({ ask }) => ask({ method: "POST", path: "/v1/drill/faults", json: { name, seconds } }));

export const disarmFaults = (world: DrillWorld) =>
  onEvery(world, ({ ask }) => ask({ method: "DELETE", path: "/v1/drill/faults" }));

/** Off on every node, for so many seconds at most. */
export const switchGuard = (world: DrillWorld, name: GuardName, on: boolean, seconds: number) =>
  onEvery(world, ({ ask }) => ask({ method: "POST", path: "/v1/drill/guards", json: { name, on, seconds } }));
