import { Effect } from "effect";
import { JobHistory, NotRestorable } from "../api/job-history-port.ts";
import type { JobRevisionReport, RevisionChange } from "../api/job-history-reports.ts";
import { ApiUnavailable, InvalidJob, JobConflict, JobNotFound } from "../api/ports.ts";
import { redactJob } from "../control/redact-job.ts";
import { settingsProblems } from "../destinations/registry.ts";
import type { PushJob } from "../domain/push-job.ts";
import { jobHistory } from "../streams/job-bucket.ts";
import type { JobRevision } from "../streams/job-revisions.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobStoreError } from "../streams/job-store-error.ts";

/** Of the revisions of one job, oldest first. */
export const revisionReports = (revisions: ReadonlyArray<JobRevision>): ReadonlyArray<JobRevisionReport> => {
  let before: PushJob | undefined;
  // What the oldest of them changed is forgotten: the store may have had others before it.
  let isForgotten = revisions.length >= jobHistory;
  const reports: Array<JobRevisionReport> = [];
  for (const { account, job, millis, removed, restoreOf, revision } of revisions) {
    const differs = job === undefined ? [] : differences(before, job);
    reports.push({
      revision,
      millis,
      change: changeOf({ before, job, removed, isRestore: restoreOf !== undefined, isForgotten, differs }),
      ...account,
      differs: before === undefined ? [] : differs,
      ...(restoreOf === undefined ? {} : { restoreOf }),
      ...(job === undefined ? {} : { job: redactJob(job) }),
    });
    if (job !== undefined || removed) before = job;
    isForgotten = false;
  }
  return reports;
};

const changeOf = (of: {
  readonly before: PushJob | undefined;
  readonly job: PushJob | undefined;
  readonly removed: boolean;
  readonly isRestore: boolean;
  readonly isForgotten: boolean;
  readonly differs: ReadonlyArray<string>;
}): RevisionChange => {
  const { before, differs, isForgotten, isRestore, job, removed } = of;
  if (removed) return "removed";
  if (job === undefined) return "damaged";
  if (isRestore) return "restored";
  if (before === undefined) return isForgotten ? "updated" : "created";
  if (differs.length === 1 && differs[0] === "enabled") return job.enabled ? "enabled" : "disabled";
  return "updated";
};

const differences = (before: PushJob | undefined, after: PushJob): ReadonlyArray<string> => {
  const [was, is]: ReadonlyArray<Readonly<Record<string, unknown>>> = [{ ...before }, { ...after }];
  const names = [...new Set([...Object.keys(was!), ...Object.keys(is!)])].toSorted();
  return names.filter((name) => JSON.stringify(was![name]) !== JSON.stringify(is![name]));
};

/** Push jobs as they were, for the API. */
export const makeJobHistory = Effect.fnUntraced(function* (options: { readonly allowPrivateDestinations: boolean }) {
  const store = yield* JobStore;
  const history = (id: string) =>
    store.history(id).pipe(
      Effect.mapError(unavailable),
      Effect.filterOrFail(
        (revisions) => revisions.length > 0,
        () => new JobNotFound({ id }),
      ),
    );

  return JobHistory.of({
    list: (id) => Effect.map(history(id), (revisions) => ({ id, revisions: revisionReports(revisions).toReversed() })),
    restore: Effect.fnUntraced(function* (id, wanted, expected) {
      const revisions = yield* history(id);
      const newest = revisions.at(-1)!;
      const current = newest.removed ? 0 : newest.revision;
      if (expected !== undefined && (expected === "absent" ? 0 : expected) !== current)
        return yield* new JobConflict({ revision: current === 0 ? undefined : current });
      const target = yield* targetOf(id, revisions, wanted);
      const problems = settingsProblems(target.job.destination, options);
      if (problems.length > 0)
        return yield* new InvalidJob({ problems: problems.map((problem) => `destination: ${problem}`) });
      // On top of what was looked at, and nothing else: somebody may be about to mend it meanwhile.
      const written = yield* store.put(target.job, current, target.revision).pipe(
        Effect.catchTags({
          JobConflict: ({ message, reason, revision }) =>
            reason === "identity"
              ? Effect.fail(new InvalidJob({ problems: [message] }))
              : Effect.fail(new JobConflict({ revision: revision === 0 ? undefined : revision })),
          JobStoreError: (error) =>
            error.reason === "tooMany" || error.reason === "tooLarge"
              ? Effect.fail(new InvalidJob({ problems: [error.message] }))
              : Effect.fail(unavailable(error)),
        }),
      );
      yield* Effect.ignore(store.awaitServed(written.revision));
      return { job: redactJob(written.job), revision: written.revision, change: written.change };
    }),
  });
});

const targetOf = (
  id: string,
  revisions: ReadonlyArray<JobRevision>,
  wanted: number | undefined,
): Effect.Effect<{ readonly job: PushJob; readonly revision: number }, NotRestorable> => {
  const whole = revisions.flatMap(({ job, revision }) => (job === undefined ? [] : [{ job, revision }]));
  const known = whole.map(({ revision }) => revision).join(", ");
  if (whole.length === 0) return refuse(`Nothing of push job "${id}" is remembered but that it was deleted.`);
  if (wanted === undefined) {
    const isRemoved = revisions.at(-1)!.removed;
    return isRemoved
      ? Effect.succeed(whole.at(-1)!)
      : refuse(`Push job "${id}" is not deleted: name the revision to go back to (${known}).`);
  }
  const target = whole.find(({ revision }) => revision === wanted);
  return target === undefined
    ? refuse(`Push job "${id}" has no revision ${wanted} that is remembered: there are ${known}.`)
    : Effect.succeed(target);
};

const refuse = (detail: string) => Effect.fail(new NotRestorable({ detail }));

const unavailable = (error: JobStoreError) => new ApiUnavailable({ detail: error.message });
