import type { SnapshotEntry } from "../../snapshot/segment.ts";

/**
 * What became of one job between two snapshots.
 *
 * `missing`: it is not there any more and nothing says why. `regressed`: it is back at an earlier revision. `forged`:
 * the same revision with another content. The other words are ordinary changes.
 */
export type ChangeKind =
  | "added"
  | "removed"
  | "disabled"
  | "enabled"
  | "redirected"
  | "edited"
  | "restored"
  | "missing"
  | "regressed"
  | "forged";

export interface Change {
  readonly kind: ChangeKind;
  readonly id: string;
  readonly customer: string;
  readonly dataset: string;
  /** Undefined: there was none, or it was removed and forgotten. */
  readonly before: SnapshotEntry | undefined;
  readonly after: SnapshotEntry | undefined;
}

/** Of two segments of the same number, both ascending by id. What is the same is not told. */
export function* changesBetween(
  before: ReadonlyArray<SnapshotEntry>,
  after: ReadonlyArray<SnapshotEntry>,
): Generator<Change> {
  let i = 0;
  for (const now of after) {
    for (; i < before.length && before[i]!.id < now.id; i++) yield* changeOf(before[i], undefined);
    const was = before[i]?.id === now.id ? before[i++] : undefined;
    yield* changeOf(was, now);
  }
  for (; i < before.length; i++) yield* changeOf(before[i], undefined);
}

function* changeOf(before: SnapshotEntry | undefined, after: SnapshotEntry | undefined): Generator<Change> {
  const kind = kindOf(before, after);
  if (kind === undefined) return;
  const { customer, dataset, id } = (after ?? before)!;
  yield { kind, id, customer, dataset, before, after };
}

const kindOf = (before: SnapshotEntry | undefined, after: SnapshotEntry | undefined): ChangeKind | undefined => {
  if (before === undefined) return after === undefined || after.state === "removed" ? undefined : "added";
  // That a removed job is forgotten in time is no change.
  if (after === undefined) return before.state === "removed" ? undefined : "missing";
  if (after.revision < before.revision) return "regressed";
  if (after.revision === before.revision) return isSame(before, after) ? undefined : "forged";
  if (after.state !== before.state) {
    if (after.state === "removed") return "removed";
    if (before.state === "removed") return "restored";
    return after.state === "enabled" ? "enabled" : "disabled";
  }
  if (after.state === "removed") return undefined;
  return destinationOf(before) === destinationOf(after) ? "edited" : "redirected";
};

const isSame = (before: SnapshotEntry, after: SnapshotEntry): boolean =>
  before.state === after.state &&
  before.customer === after.customer &&
  before.dataset === after.dataset &&
  Buffer.compare(before.data, after.data) === 0;

/** As text: keys are sorted, so equal destinations are equal texts. It may hold secrets. */
const destinationOf = ({ data }: SnapshotEntry): string => {
  const { destination } = JSON.parse(Buffer.from(data).toString()) as { readonly destination: unknown };
  return JSON.stringify(destination);
};
