import { Effect, Schedule } from "effect";
import { ChangedBy } from "../actors/ports/changed-by.ts";
import { applyJobsFile } from "../control/apply-jobs.ts";
import type { Settings } from "../control/settings.ts";
import type { AuditLog } from "../streams/audit-log.ts";
import { JobStore } from "../streams/job-store.ts";
import type { JobsFileError } from "../control/jobs-file.ts";
import type { JobStoreError } from "../streams/job-store-error.ts";
import { completeJob } from "./complete-job.ts";

/** A node that starts waits so often for its jobs file to be in force, 2 s each. */
const servedTimesMax = 5;
/** Between two attempts while the store does not answer. */
const againMillis = 2_000;

const isPassing = (error: JobsFileError | JobStoreError): boolean =>
  error._tag === "JobStoreError" && error.reason === "unavailable";

/**
 * Stores the jobs of a file, and waits until they are in force. Without the store's answer the node starts all the
 * same, with what it served last, and they are stored when it answers.
 */
export const applyJobsAtStart = Effect.fnUntraced(function* (file: string, settings: Settings, auditLog: AuditLog) {
  const apply = applyOnce(file, settings, auditLog);
  yield* apply.pipe(
    Effect.catchIf(isPassing, ({ message }) =>
      Effect.logWarning("The jobs file is applied later: the push jobs do not answer.", { file, message }).pipe(
        Effect.andThen(Effect.forkScoped(later(file, apply))),
        Effect.asVoid,
      ),
    ),
  );
});

const later = <R>(file: string, apply: Effect.Effect<void, JobsFileError | JobStoreError, R>) =>
  apply.pipe(
    Effect.delay(againMillis),
    Effect.retry({ while: isPassing, schedule: Schedule.spaced(againMillis) }),
    Effect.catch(({ message }) => Effect.logError("The jobs file cannot be applied.", { file, message })),
    Effect.catchCause((cause) => Effect.logError("Applying the jobs file has failed.", cause)),
  );

const applyOnce = Effect.fnUntraced(function* (file: string, settings: Settings, auditLog: AuditLog) {
  const store = yield* JobStore;
  const applied = yield* applyJobsFile(file, completeJob(settings)).pipe(
    Effect.provideService(ChangedBy, { who: `node ${settings.nodeName}`, why: `jobs file ${file}` }),
  );
  // In force, not only stored: else the first records of a customer would find no job.
  const served = applied.revision === 0 ? Effect.void : store.awaitServed(applied.revision);
  yield* served.pipe(
    Effect.retry({ times: servedTimesMax }),
    Effect.catch(({ message }) =>
      Effect.logWarning("Push jobs are stored and not in force yet: see `spillway config status`.", { message }),
    ),
  );
  const { added, changed, notInFile, unchanged } = applied;
  if (added + changed > 0) {
    const what = `jobs file ${file}`;
    const detail = `${added} added, ${changed} changed, up to revision ${applied.revision}`;
    // Done already: a node that starts with its jobs does not end for a note of it.
    yield* auditLog.append({ kind: "jobs.applied", who: "node", from: "", what, why: "", detail }).pipe(
      Effect.catch((problem) =>
        Effect.logError("The jobs file could not be noted in the audit log.", {
          what,
          detail,
          problem: problem.detail,
        }),
      ),
    );
  }
  yield* Effect.logInfo("Push jobs applied.", { file, added, changed, unchanged, notInFile });
});
