import type { Effect } from "effect";
import type { AuditNote } from "../../domain/audit-entry.ts";
import type { RolloutRecord } from "../../domain/config-report.ts";
import type { Limits } from "../../domain/limits.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import type { ConfigStore, ConfigStoreError } from "../../streams/config-store.ts";
import type { StoredJobs } from "../../streams/stored-jobs.ts";
import type { GateFacts } from "../gate/gate.ts";
import type { Generated } from "../generate/generate.ts";
import type { SnapshotRef } from "../../actors/rollout/machine.ts";

/** What the control process needs of the node that it runs in. */
export interface ControlOptions {
  readonly node: string;
  readonly limits: Limits;
  readonly store: ConfigStore;
  readonly stored: StoredJobs;
  /** Of the job store, everything up to this sequence is in `stored`. */
  readonly position: () => number;
  /** Whether that was its end. Before it is, an older revision may look as if it were the newest of its job. */
  readonly isCaughtUp: () => boolean;
  readonly cell: () => string;
  /** What this node serves. */
  readonly current: () => Snapshot | undefined;
  /** Its manifest as it was stored. */
  readonly encodedCurrent: () => Uint8Array | undefined;
  /** Reads a snapshot that was stored; a failure's text is for people. */
  readonly fetch: (ref: SnapshotRef) => Effect.Effect<Snapshot, string>;
  /** Of the snapshot of this number; undefined: there is none (any more). */
  readonly hashOf: (number: number) => Effect.Effect<string | undefined, ConfigStoreError>;
  /** The newest that the store itself has of a job. */
  readonly inStore: GateFacts["inStore"];
  readonly problemOf: GateFacts["problemOf"];
  /** The catalogue of datasets as it is to be. Cheap: asked for ten times a second. */
  readonly catalogue: () => CurrentCatalogue;
  readonly faults: GeneratorFaults;
  /** Durable when it completes. */
  readonly audit: (note: AuditNote) => Effect.Effect<unknown, { readonly detail: string }>;
  /** Told of each rollout that has ended. */
  readonly ended: (record: RolloutRecord) => Effect.Effect<void>;
}

export interface CurrentCatalogue {
  /** As a snapshot holds it. */
  readonly content: Uint8Array;
  readonly hash: string;
}

/** Seams for drills: what a generator with a fault would do. Without a drill they change nothing. */
export interface GeneratorFaults {
  readonly changed: (entries: Iterable<SnapshotEntry>, base?: Snapshot) => Iterable<SnapshotEntry>;
  readonly generated: (generated: Generated, base?: Snapshot) => Generated;
  /** Names the faults that are on; empty: none. With another name it is generated even if nothing has changed. */
  readonly armed: () => string;
  /** Whether snapshots are judged at all. */
  readonly isGateOn: () => boolean;
  /** Whether a configuration goes out in steps. */
  readonly isStaged: () => boolean;
}

export const noFaults: GeneratorFaults = {
  changed: (entries) => entries,
  generated: (generated) => generated,
  armed: () => "",
  isGateOn: () => true,
  isStaged: () => true,
};

/** Shares of the customers that a rollout goes through, in percent: the canary first, everybody last. */
export const stepsFrom = (canaryPercent: number): ReadonlyArray<number> => [
  canaryPercent,
  ...[10, 50, 100].filter((percent) => percent > canaryPercent),
];
