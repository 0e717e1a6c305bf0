import { type Manifest, wentBackAt } from "../snapshot/manifest.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

export interface WayBackFacts {
  /** What this node serves. */
  readonly current: Snapshot | undefined;
  readonly isAccepted: boolean;
  /** Manifests that are stored, by number: of those that `pastOf` asks for the ones that there are. */
  readonly past: ReadonlyMap<number, Manifest>;
}

/**
 * Whether a snapshot may take this node back in time: it is a rollback, or comes after one that this node has missed,
 * being away. What was made on top of a rollback lacks what that took back.
 */
export const mayGoBack = (next: Manifest, current: Snapshot | undefined): boolean =>
  wentBackAt(next) > (current?.manifest.number ?? 0);

/** Numbers of the snapshots with which it can be compared how this one says that it goes back. */
export const pastOf = (next: Manifest, current: Snapshot | undefined): ReadonlyArray<number> => {
  if (current === undefined || !mayGoBack(next, current)) return [];
  return next.rollbackOf === undefined ? [wentBackAt(next)] : [next.rollbackOf, next.previous];
};

/**
 * That something is a rollback it says itself, and much is let past because of that. So what of it is news to this node
 * has to be of the snapshot that it claims to bring back, or, in a step on the way there, of the one that it leaves.
 *
 * @returns what is wrong, for people
 */
export const wayBackProblem = (next: Manifest, { current, isAccepted, past }: WayBackFacts): string | undefined => {
  if (current === undefined || !mayGoBack(next, current)) return undefined;
  if (next.rollbackOf === undefined) {
    const number = wentBackAt(next);
    const rollback = past.get(number);
    // One that was cleared away has to be believed: it is long ago.
    const isOne = number < next.number && (rollback === undefined || rollback.rollbackOf !== undefined);
    return isOne ? undefined : `it says that it comes after the rollback ${number}, which is none`;
  }
  const content = past.get(next.rollbackOf);
  const from = past.get(next.previous);
  if (content === undefined)
    return isAccepted ? undefined : `snapshot ${next.rollbackOf}, which it says it brings back, is not stored`;
  const [served, brought] = [marksOf(current.manifest), marksOf(content)];
  const left = from === undefined ? undefined : marksOf(from);
  const isUnlike = marksOf(next).some(({ hash }, i) => {
    const isKnown = hash === served[i]!.hash || hash === brought[i]!.hash || hash === left?.[i]!.hash;
    return !isKnown && !(left === undefined && isAccepted);
  });
  return isUnlike ? `it is not the content of snapshot ${next.rollbackOf}, which it says it brings back` : undefined;
};

const marksOf = ({ catalogue, segments }: Manifest) => [...segments, catalogue];
