import { Schema } from "effect";
import { GateVerdict } from "./blast-radius.ts";

const Count = Schema.Int;

/** A snapshot by number and hash. */
export const SnapshotName = Schema.Struct({ number: Count, hash: Schema.String });
export type SnapshotName = typeof SnapshotName.Type;

/** What one node serves, as it said last. */
export const NodeConfig = Schema.Struct({
  node: Schema.String,
  /** Null: it never had a snapshot, and answers 503. */
  serves: Schema.NullOr(SnapshotName),
  /** Why it does not serve what it was told to; null: it does. */
  refused: Schema.NullOr(Schema.Struct({ number: Count, rule: Schema.String, message: Schema.String })),
  /** Since it said so. */
  silentMillis: Count,
});
export type NodeConfig = typeof NodeConfig.Type;

/** Where a rollout is, or how the last one ended. */
export const RolloutReport = Schema.Struct({
  /** `idle`, `gating`, `promoting`, `watching`, `halted`, `rollingBack` or `returning`. */
  state: Schema.String,
  target: Schema.NullOr(SnapshotName),
  base: Schema.NullOr(SnapshotName),
  /** Share of the customers that are told to serve the target, in percent. */
  percent: Schema.Finite,
  steps: Schema.Array(Schema.Finite),
  /** In this state. */
  elapsedMillis: Count,
  /** So long is each step watched. */
  watchMillis: Count,
  reason: Schema.String,
  /** Nodes that serve what this step tells them to, of those that it tells; absent while none is told anything. */
  adopted: Schema.optionalKey(Schema.Struct({ nodes: Count, of: Count })),
  /** These nodes serve this, all of the target, ahead of the others; absent where nobody does. */
  canary: Schema.optionalKey(Schema.Struct({ ...SnapshotName.fields, nodes: Schema.Array(Schema.String) })),
});
export type RolloutReport = typeof RolloutReport.Type;

/** One ended rollout. */
export const RolloutRecord = Schema.Struct({
  result: Schema.Literals(["complete", "refused", "rolledBack", "abandoned"]),
  /** The snapshot that was to be served. */
  number: Count,
  hash: Schema.String,
  /** What is in force since; 0: nothing. */
  inForce: Count,
  atMillis: Count,
  /** Why it ended so; empty when it went through. */
  reason: Schema.String,
  /** Who asked for it and why, as far as is known. */
  author: Schema.String,
  why: Schema.String,
  /** The person who has taken it back; absent: it was not, or went back by itself. */
  takenBackBy: Schema.optionalKey(Schema.String),
  /** Number of the snapshot whose content it brought back. */
  rollbackOf: Schema.NullOr(Count),
  verdict: Schema.NullOr(GateVerdict),
});
export type RolloutRecord = typeof RolloutRecord.Type;

export const Freeze = Schema.Struct({ who: Schema.String, why: Schema.String, atMillis: Count });
export type Freeze = typeof Freeze.Type;

export const ConfigStatus = Schema.Struct({
  /** The node whose control process leads. */
  leader: Schema.String,
  /** What all nodes were told to serve; null: nothing yet. Without the rest where its content cannot be read. */
  inForce: Schema.NullOr(
    Schema.Struct({
      ...SnapshotName.fields,
      jobs: Schema.optionalKey(Count),
      enabled: Schema.optionalKey(Count),
      createdMillis: Schema.optionalKey(Count),
    }),
  ),
  /** Jobs that are stored otherwise than they are in force. */
  pending: Count,
  /** Nothing is rolled out while it is set. */
  frozen: Schema.NullOr(Freeze),
  rollout: RolloutReport,
  /** The gate's word on what is pending, when it refused it. */
  refusal: Schema.NullOr(GateVerdict),
  last: Schema.NullOr(RolloutRecord),
  nodes: Schema.Array(NodeConfig),
  /** Why the control process does not get on, and for how long; absent while it does. */
  trouble: Schema.optionalKey(Schema.Struct({ why: Schema.String, millis: Count })),
  /** Only in the answer to `apply` and `rollback`: what they put on its way, or found there; null: nothing. */
  begun: Schema.optionalKey(Schema.NullOr(SnapshotName)),
});
export type ConfigStatus = typeof ConfigStatus.Type;

/** One job between two snapshots. Settings are redacted JSON; null: it is not there. */
export const JobDifference = Schema.Struct({
  /** What is wrong with it in itself (missing, regressed, forged), or else its effect. */
  kind: Schema.String,
  /** Added, removed, disabled, enabled, restored, redirected, edited: what a rollback does as well. */
  effect: Schema.optionalKey(Schema.String),
  id: Schema.String,
  customer: Schema.String,
  dataset: Schema.String,
  revisionBefore: Schema.NullOr(Count),
  revisionAfter: Schema.NullOr(Count),
  before: Schema.NullOr(Schema.Unknown),
  after: Schema.NullOr(Schema.Unknown),
});
export type JobDifference = typeof JobDifference.Type;

/** The first of them, by id; `more` are not listed. */
export const ConfigDiff = Schema.Struct({
  from: Count,
  to: Count,
  changes: Schema.Array(JobDifference),
  more: Count,
});
export type ConfigDiff = typeof ConfigDiff.Type;

/** What would be rolled out next; `verdict` null: nothing. */
export const ConfigPlan = Schema.Struct({
  verdict: Schema.NullOr(GateVerdict),
  diff: ConfigDiff,
  frozen: Schema.NullOr(Freeze),
  /** A rollout under way, before which nothing else begins. */
  rollout: RolloutReport,
});
export type ConfigPlan = typeof ConfigPlan.Type;

/** What a person asks of the control process. Who and why are noted. */
export const ConfigCommand = Schema.Union([
  Schema.Struct({ op: Schema.Literal("status") }),
  Schema.Struct({ op: Schema.Literal("plan") }),
  Schema.Struct({ op: Schema.Literal("history"), limit: Count }),
  Schema.Struct({ op: Schema.Literal("diff"), from: Count, to: Count }),
  /**
   * Rolls out what is pending now; `accept` names the one snapshot whose blast radius is accepted, `canaryNodes` go
   * first, `unfreeze` does it although the configuration is frozen, and ends that.
   */
  Schema.Struct({
    op: Schema.Literal("apply"),
    accept: Schema.NullOr(Schema.String),
    canaryNodes: Schema.optionalKey(Schema.Array(Schema.String)),
    unfreeze: Schema.optionalKey(Schema.Boolean),
    who: Schema.String,
    why: Schema.String,
  }),
  /** Brings the content of an earlier snapshot back (null: of the one before), and freezes. */
  Schema.Struct({
    op: Schema.Literal("rollback"),
    to: Schema.NullOr(Count),
    accept: Schema.NullOr(Schema.String),
    who: Schema.String,
    why: Schema.String,
  }),
  Schema.Struct({ op: Schema.Literal("freeze"), who: Schema.String, why: Schema.String }),
  Schema.Struct({ op: Schema.Literal("unfreeze"), who: Schema.String, why: Schema.String }),
  Schema.Struct({ op: Schema.Literal("halt"), who: Schema.String, why: Schema.String }),
  Schema.Struct({ op: Schema.Literal("resume"), who: Schema.String, why: Schema.String }),
]);
export type ConfigCommand = typeof ConfigCommand.Type;
