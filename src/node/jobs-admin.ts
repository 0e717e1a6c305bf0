import { Effect, Result } from "effect";
import { ApiUnavailable, InvalidJob, JobConflict, JobNotFound, JobsAdmin, type ShownJob } from "../api/ports.ts";
import { decodeJob } from "../control/decode-job.ts";
import { problemText } from "../control/problem.ts";
import { redactJob, restoreRedacted } from "../control/redact-job.ts";
import { settingsProblems } from "../destinations/registry.ts";
import type { StoredJob } from "../domain/push-job.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobConflict as StoreConflict, JobStoreError } from "../streams/job-store-error.ts";

const shown = ({ job, revision }: StoredJob): ShownJob => ({ job: redactJob(job), revision });

/** Push jobs for the API: checked on the way in, redacted on the way out, live when the answer comes. */
export const makeJobsAdmin = Effect.fnUntraced(function* (options: { readonly allowPrivateDestinations: boolean }) {
  const store = yield* JobStore;

  const put: JobsAdmin["Service"]["put"] = Effect.fnUntraced(function* (id, input, expected) {
    const decoded = decodeJob(input, { id });
    if (Result.isFailure(decoded)) return yield* invalid(decoded.failure.map(problemText));
    const stored = yield* store.get(id).pipe(Effect.mapError(unavailable));
    const restored = restoreRedacted(decoded.success, stored?.job);
    if (Result.isFailure(restored)) return yield* invalid(restored.failure.map(problemText));
    const problems = settingsProblems(restored.success.destination, options);
    if (problems.length > 0) return yield* invalid(problems.map((problem) => `destination: ${problem}`));
    const written = yield* store.put(restored.success, expected === "absent" ? 0 : expected).pipe(
      Effect.catchTags({
        JobConflict: (conflict) => Effect.fail(refusalOf(conflict)),
        JobStoreError: (error) => Effect.fail(limitOf(error) ?? unavailable(error)),
      }),
    );
    // Live on this node before the answer, so that what is sent next finds its buffer. Stored all the same when late.
    yield* Effect.ignore(store.awaitServed(written.revision));
    return { ...shown(written), change: written.change };
  });

  return JobsAdmin.of({
    list: ({ after, limit }) =>
      store.page(after, limit).pipe(
        Effect.map(({ items, next }) => ({ jobs: items.map(shown), ...(next === undefined ? {} : { next }) })),
        Effect.mapError(unavailable),
      ),
    get: Effect.fnUntraced(function* (id) {
      const stored = yield* store.get(id).pipe(Effect.mapError(unavailable));
      return stored === undefined ? yield* new JobNotFound({ id }) : shown(stored);
    }),
    put,
    remove: Effect.fnUntraced(function* (id, expected) {
      const existed = yield* store.remove(id, expected === "absent" ? 0 : expected).pipe(
        Effect.catchTags({
          JobConflict: ({ revision }) => Effect.fail(new JobConflict({ revision: known(revision) })),
          JobStoreError: (error) => Effect.fail(unavailable(error)),
        }),
      );
      if (!existed) return yield* new JobNotFound({ id });
    }),
  });
});

const unavailable = (error: JobStoreError) => new ApiUnavailable({ detail: error.message });
const invalid = (problems: ReadonlyArray<string>) => new InvalidJob({ problems });
const known = (revision: number) => (revision === 0 ? undefined : revision);

/** Over a limit, the job is at fault; nothing that passes by itself. */
const limitOf = ({ message, reason }: JobStoreError) =>
  reason === "tooMany" || reason === "tooLarge" ? invalid([message]) : undefined;

const refusalOf = ({ message, reason, revision }: StoreConflict) =>
  reason === "identity" ? invalid([message]) : new JobConflict({ revision: known(revision) });
