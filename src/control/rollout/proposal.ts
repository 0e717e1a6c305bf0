import { Clock, Effect } from "effect";
import { createHash } from "node:crypto";
import type { GateVerdict } from "../../domain/blast-radius.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { generate } from "../generate/generate.ts";
import type { PendingJobs } from "../../streams/stored-jobs.ts";
import type { ControlOptions } from "./control-options.ts";
import { bringBack } from "./stage.ts";
import { entriesOf, type WaitingChanges } from "./waiting-changes.ts";

/** A snapshot that may be rolled out, and what of it is stored nowhere yet. */
export interface Proposal {
  readonly snapshot: Snapshot;
  readonly encoded: Uint8Array;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** The snapshot whose content it brings back. */
  readonly rollbackOf: Snapshot | undefined;
  /** What it was made from; undefined: an earlier snapshot. */
  readonly taken: TakenChanges | undefined;
  readonly author: string;
  readonly why: string;
  /** What it was made from, see `keyOf`. */
  readonly key: string;
  /** The gate's word, once it was asked. */
  verdict: GateVerdict | undefined;
  /** When the job store was last asked about it, by the steady clock. */
  askedMillis?: number;
}

/** A removed job's entry is kept for so many changes of the store: every node has seen it long before. */
const forgetAfter = 1_000_000;

/** Changes that are to be generated from, as everything is at one moment: making a snapshot takes a while. */
export interface TakenChanges extends WaitingChanges {
  /** See `keyOf`. */
  readonly key: string;
  /** What they are judged against. */
  readonly against: string;
  readonly pending: PendingJobs;
  readonly catalogue: Uint8Array;
}

/** At once when the key is made: what is stored later has another one. */
export const takeChanges = (
  options: ControlOptions,
  base: Snapshot | undefined,
  changes: WaitingChanges,
  key: string,
): TakenChanges => ({
  ...changes,
  key,
  against: againstOf(options, base),
  pending: options.stored.pendingAsNow(),
  catalogue: options.catalogue().content,
});

/** What changes that are proposed now are made from, whichever of them are. */
export const sourceOf = (options: ControlOptions, base: Snapshot | undefined): string =>
  `${options.position()} ${againstOf(options, base)}`;

/** All of that but the job store. */
export const againstOf = ({ catalogue, cell, faults }: ControlOptions, base: Snapshot | undefined): string =>
  `${cell()} ${base?.hash ?? ""} ${catalogue().hash} ${faults.armed()}`;

/** With the same, the same is made. @param source see `sourceOf` */
export const keyOf = (source: string, { customers }: WaitingChanges): string =>
  customers === undefined ? source : `${source} of ${digestOf([...customers].toSorted().join())}`;

/** There may be many, and the key is stored. */
const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Of what the store has and is not in force. A failure's text is for people.
 *
 * @param changes which of it, taken in the same moment in which they were decided on
 * @param made by whom and when it was made, where it is made again
 */
export const proposeChanges = Effect.fn("control.proposeChanges")(function* (
  options: ControlOptions,
  base: Snapshot | undefined,
  number: number,
  changes: TakenChanges,
  made?: { readonly author: string; readonly nowMillis: number },
) {
  const { author, nowMillis } = made ?? { author: options.node, nowMillis: yield* Clock.currentTimeMillis };
  const { catalogue, key, pending, position } = changes;
  const entries = entriesOf(pending, changes, nowMillis);
  const generated = yield* generate({
    previous: base,
    cell: options.cell(),
    number,
    position,
    changed: options.faults.changed(entries, base),
    changedCount: options.stored.pending,
    mayForget: ({ revision }) => revision < position - forgetAfter,
    catalogue,
    author,
    reason: "the job store was changed",
    nowMillis,
  });
  const { blobs, encoded, hash, manifest } = options.faults.generated(generated, base);
  const snapshot: Snapshot = { manifest, hash, blob: (name) => blobs.get(name) ?? base?.blob(name) };
  const proposal: Proposal = {
    snapshot,
    encoded,
    blobs,
    rollbackOf: undefined,
    taken: changes,
    author: "",
    why: "",
    key,
    verdict: undefined,
  };
  return proposal;
});

/** The content of an earlier snapshot. */
export const proposeRollback = Effect.fnUntraced(function* (
  content: Snapshot,
  base: Snapshot,
  number: number,
  asked: { readonly who: string; readonly why: string },
  createdMillis?: number,
) {
  const nowMillis = createdMillis ?? (yield* Clock.currentTimeMillis);
  const { encoded, snapshot } = bringBack(content, {
    number,
    previous: base.manifest.number,
    createdMillis: nowMillis,
    author: asked.who,
    reason: asked.why,
  });
  // Its segments are stored: they were served.
  const proposal: Proposal = {
    snapshot,
    encoded,
    blobs: new Map(),
    rollbackOf: content,
    taken: undefined,
    author: asked.who,
    why: asked.why,
    key: `rollback ${content.hash}`,
    verdict: undefined,
  };
  return proposal;
});
