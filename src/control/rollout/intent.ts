import { Schema } from "effect";
import { Freeze, SnapshotName } from "../../domain/config-report.ts";
import type { ControlOptions } from "./control-options.ts";
import type { Proposal } from "./proposal.ts";

/**
 * What is wanted with the snapshot that is on its way. Stored in the same write in which the rollout begins: before it
 * is judged nothing of the snapshot itself is stored, and a control process that dies meanwhile would take with it what
 * a person has asked for.
 */
export const Intent = Schema.Struct({
  /** Who asked for it and why; empty: nobody, the job store was changed. */
  author: Schema.String,
  why: Schema.String,
  /** It brings the content of this one back. */
  rollbackOf: Schema.NullOr(SnapshotName),
  /** The hash whose blast radius they have accepted. */
  accept: Schema.NullOr(Schema.String),
  /** What is frozen again when nothing comes of it. */
  frozenBefore: Schema.NullOr(Freeze),
  /** What it is made from, with which the same is made again: see `Proposal`, and the manifest. */
  key: Schema.String,
  position: Schema.Int,
  madeBy: Schema.String,
  reason: Schema.String,
  createdMillis: Schema.Int,
});
export type Intent = typeof Intent.Type;

export const intentOf = (
  { position }: Pick<ControlOptions, "position">,
  { author, key, rollbackOf, snapshot, why }: Proposal,
  rest: Pick<Intent, "accept" | "frozenBefore">,
): Intent => ({
  author,
  why,
  rollbackOf: rollbackOf === undefined ? null : { number: rollbackOf.manifest.number, hash: rollbackOf.hash },
  key,
  position: position(),
  madeBy: snapshot.manifest.author,
  reason: snapshot.manifest.reason,
  createdMillis: snapshot.manifest.createdMillis,
  ...rest,
});
