import { Schema } from "effect";

/**
 * What was done to the system from outside, and by whom.
 *
 * `request.asked` comes before the change and `request.answered` after it: without an answer nobody knows whether it
 * was done, and the one before says what to look for. `config.…` is what the control process decided by itself: which
 * snapshot its gate refused, how each rollout ended, and what it told nodes once more. `switch.ended` is a kill switch
 * whose time was over.
 */
export const AuditKind = Schema.Literals([
  "request.asked",
  "request.answered",
  "jobs.applied",
  "config.refused",
  "config.ended",
  "config.halted",
  "config.retold",
  "switch.ended",
]);
export type AuditKind = typeof AuditKind.Type;

/** What is noted; the log adds number, time and the chain. */
export const AuditNote = Schema.Struct({
  kind: AuditKind,
  /** Who says that they did it: nobody has checked a name beyond the node's token. */
  who: Schema.String,
  /** Address that it came from; empty for the node itself. */
  from: Schema.String,
  /** Such as `PUT /v1/jobs/acme-http`. */
  what: Schema.String,
  /** As they gave it; empty when they did not. */
  why: Schema.String,
  /** What came of it, or what more there is to say. */
  detail: Schema.String,
});
export type AuditNote = typeof AuditNote.Type;

/** A link of the chain. */
export const AuditEntry = Schema.Struct({
  ...AuditNote.fields,
  /** A newer node may know kinds that this one does not: nothing of the chain hangs on them. */
  kind: Schema.String,
  /** From 1 on, without a gap. */
  number: Schema.Int,
  /** Of the node that wrote it, epoch millis. */
  millis: Schema.Int,
  node: Schema.String,
  /** Hash of the entry before; 64 zeros for the first. */
  previous: Schema.String,
  /** SHA-256 of everything else in it, `previous` included, as JSON with sorted keys. */
  hash: Schema.String,
});
export type AuditEntry = typeof AuditEntry.Type;

/** What a check of the whole chain has found. */
export const AuditVerdict = Schema.Struct({
  entries: Schema.Int,
  whole: Schema.Boolean,
  /** The first entry that is not what it should be, and why. */
  brokenAt: Schema.optionalKey(Schema.Int),
  problem: Schema.optionalKey(Schema.String),
  /** Hash of the last entry: kept elsewhere, it shows later that nothing before it was changed. */
  head: Schema.String,
  /** Only when a head was kept elsewhere and asked for: the entry that it is the hash of; null: there is none. */
  keptAt: Schema.optionalKey(Schema.NullOr(Schema.Int)),
});
export type AuditVerdict = typeof AuditVerdict.Type;
