import { Result } from "effect";
import { assert } from "vitest";
import { briefsOf, type JobSet } from "../../../src/actors/ports/jobs.ts";
import { decodeManifest, type Manifest } from "../../../src/snapshot/manifest.ts";
import type { PushJob } from "../../../src/domain/push-job.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import type { OrderedJobs } from "./job-history.ts";

/** What a verdict compares with: what was ordered, and what was written and accepted. None of it is of a gate. */
export interface Watched {
  readonly ordered: OrderedJobs;
  /** Also those that were cleared away since. */
  readonly manifests: ReadonlyMap<number, Uint8Array>;
  /** Numbers of snapshots that nodes were told to serve as accepted by a person. */
  readonly accepted: ReadonlySet<number>;
  readonly limits: { readonly smallChangeJobsMax: number; readonly servedRemovedPercentMax: number };
}

/** What a node served at one moment, as plain values. */
export interface ServedAt {
  readonly number: number;
  readonly jobs: ReadonlyMap<string, { readonly revision: number; readonly enabled: boolean; readonly data: string }>;
}

export const servedIn = (set: JobSet): ServedAt => {
  const jobs = new Map<string, { readonly revision: number; readonly enabled: boolean; readonly data: string }>();
  for (const [id, { enabled, revision }] of briefsOf(set)) {
    jobs.set(id, { revision, enabled, data: textOf(encodeJob(set.byId.get(id)!.job)) });
  }
  return { number: set.number, jobs };
};

const textOf = (data: Uint8Array): string => Buffer.from(data).toString();

/** Whether it was made, over however many others, from a rollback that is newer than this number. */
const comesAfterRollback = (watched: Watched, of: Manifest, number: number): boolean => {
  for (let at = manifestOf(watched, of.previous); at !== undefined && at.number > number;) {
    if (at.rollbackOf !== undefined) return true;
    at = manifestOf(watched, at.previous);
  }
  return false;
};

const manifestOf = ({ manifests }: Watched, number: number): Manifest | undefined => {
  const encoded = manifests.get(number);
  return encoded === undefined ? undefined : Result.getOrThrow(decodeManifest(encoded));
};

/**
 * What a node may begin to serve after what it served: never a job that nobody ordered, never without one that nobody
 * stopped, never an earlier snapshot, and never much less than before unless a person has said so. Going back is for
 * rollbacks, whose content was in force before.
 */
export const assertMayServe = (watched: Watched, before: ServedAt | undefined, now: ServedAt): void => {
  const { ordered } = watched;
  for (const [id, { data, revision }] of now.jobs) {
    const order = ordered.at(id, revision);
    assert.isDefined(order, `${id}: nobody ordered its revision ${revision}`);
    // In its grace a job that is gone pushes nothing more under its last settings: those before it was removed or, gone
    // by a rollback to then, later ones, which its node had served until then.
    const settings = order!.job === undefined ? ordered.ofJob(id).map(disabled) : [order!.job, disabled(order!.job)];
    const texts = settings.map((each) => textOf(encodeJob(each)));
    assert.include(texts, data, `${id}: other settings than were ordered at ${revision}`);
  }
  if (before === undefined || before.number === now.number) return;
  assert.isAbove(now.number, before.number, "it goes back in time");
  const manifest = manifestOf(watched, now.number);
  assert.isDefined(manifest, `snapshot ${now.number} was never written`);
  const isRollback = manifest!.rollbackOf !== undefined;
  if (isRollback) {
    // In steps: some customers have what it brings back, the others what was in force.
    const [content, base] = [manifest!.rollbackOf!, manifest!.previous].map((number) => manifestOf(watched, number));
    for (const [i, { hash }] of manifest!.segments.entries())
      assert.include([content?.segments[i]?.hash, base?.segments[i]?.hash], hash, `segment ${i} of a rollback`);
    return;
  }
  // One that was away while all others went back goes back as well, by what comes after that.
  const isBack = comesAfterRollback(watched, manifest!, before.number);
  let stopped = 0;
  let enabled = 0;
  for (const [id, was] of before.jobs) {
    const is = now.jobs.get(id);
    if (was.enabled) enabled += 1;
    if (is !== undefined && !isBack)
      assert.isAtLeast(is.revision, was.revision, `${id}: an earlier revision, and no rollback`);
    if (!was.enabled || is?.enabled === true) continue;
    stopped += 1;
    if (isBack) continue;
    assert.isTrue(ordered.isStopped(id, was.revision), `${id} is delivered no more, and nobody ordered that`);
  }
  const { servedRemovedPercentMax, smallChangeJobsMax } = watched.limits;
  const isMuch = stopped > smallChangeJobsMax && stopped * 100 > servedRemovedPercentMax * enabled;
  if (isMuch)
    assert.isTrue(watched.accepted.has(now.number), `${stopped} of ${enabled} are stopped, nobody accepted it`);
  const left = [...now.jobs.values()].filter((job) => job.enabled).length;
  // What was ordered after this was made comes with the next.
  const then = new Map(ordered.orders.slice(0, manifest!.position).map(({ id, job }) => [id, job?.enabled]));
  const wanted = ordered.jobs().filter(({ id, job }) => job.enabled && then.get(id) === true).length;
  if (left === 0 && wanted > smallChangeJobsMax && enabled > smallChangeJobsMax)
    assert.fail(`none is delivered any more; ${wanted} are ordered`);
};

const disabled = (job: PushJob): PushJob => ({ ...job, enabled: false });

/** Everything that is ordered is in force, and nothing else. */
export const isInForce = (ordered: OrderedJobs, { jobs }: ServedAt): boolean => {
  const wanted = ordered.jobs();
  return (
    wanted.length === jobs.size &&
    wanted.every(({ data, id, revision }) => {
      const served = jobs.get(id);
      return served?.revision === revision && served.data === textOf(data);
    })
  );
};
