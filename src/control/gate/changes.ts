import type { JobChanges } from "../../domain/blast-radius.ts";
import type { SnapshotEntry } from "../../snapshot/segment.ts";

/** What becomes of who is delivered what: the same for a change, for going back on it, and for what nobody ordered. */
export type ChangeEffect = keyof JobChanges;

/**
 * What is wrong with a change in itself, whatever its effect.
 *
 * `missing`: it is not there any more and nothing says why. `regressed`: it is back at an earlier revision. `forged`:
 * the same revision with another content. The first two are what a rollback consists of.
 */
export type ChangeFault = "missing" | "regressed" | "forged";

/** What became of one job between two snapshots. */
export interface Change {
  /** Undefined: nobody is delivered more, less or otherwise. Then there is a fault. */
  readonly effect: ChangeEffect | undefined;
  readonly fault: ChangeFault | undefined;
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
  if (before !== undefined && after !== undefined && isSame(before, after)) return;
  const fault = faultOf(before, after);
  const effect = effectOf(before, after);
  if (fault === undefined && effect === undefined) return;
  const { customer, dataset, id } = (after ?? before)!;
  yield { effect, fault, id, customer, dataset, before, after };
}

const faultOf = (before: SnapshotEntry | undefined, after: SnapshotEntry | undefined): ChangeFault | undefined => {
  if (before === undefined) return undefined;
  // That a removed job is forgotten in time is no change.
  if (after === undefined) return before.state === "removed" ? undefined : "missing";
  if (after.revision < before.revision) return "regressed";
  return after.revision === before.revision ? "forged" : undefined;
};

const effectOf = (before: SnapshotEntry | undefined, after: SnapshotEntry | undefined): ChangeEffect | undefined => {
  const was = before?.state ?? "removed";
  const is = after?.state ?? "removed";
  if (was === "removed") {
    if (is === "removed") return undefined;
    return before === undefined ? "added" : "restored";
  }
  if (is === "removed") return "removed";
  if (was !== is) return is;
  return destinationOf(before!) === destinationOf(after!) ? "edited" : "redirected";
};

/** Of a removed job only who it was of: what else its entry holds is of the moment at which it was made. */
const isSame = (before: SnapshotEntry, after: SnapshotEntry): boolean =>
  before.revision === after.revision &&
  before.state === after.state &&
  before.customer === after.customer &&
  before.dataset === after.dataset &&
  (before.state === "removed" || Buffer.compare(before.data, after.data) === 0);

/**
 * As text: keys are sorted, so equal destinations are equal texts. It may hold secrets. Of what does not decode, which
 * another rule refuses, all of it.
 */
const destinationOf = ({ data }: SnapshotEntry): string => {
  const text = Buffer.from(data).toString();
  try {
    return JSON.stringify((JSON.parse(text) as { readonly destination: unknown }).destination);
  } catch {
    return text;
  }
};
