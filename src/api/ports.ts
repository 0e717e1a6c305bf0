import { Context, type Effect, Schema } from "effect";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JobChange, StoredJob } from "../domain/push-job.ts";
import type { PageRequest } from "./page-query.ts";
import type { AuditReport, BooksReport, ReadinessCheck } from "./reports.ts";

/** What the API needs from the node that it speaks for. */

/** The answer needs something that does not answer now (NATS, mostly). */
export class ApiUnavailable extends Schema.TaggedError<ApiUnavailable>()("ApiUnavailable", {
  /** For people: one line, no credential. */
  detail: Schema.String,
}) {}

export class NodeView extends Context.Service<
  NodeView,
  {
    /** A page of the jobs, by id, and the sums of all of them. */
    readonly books: (page: PageRequest) => Effect.Effect<BooksReport, ApiUnavailable>;
    /** The same sums, and of the jobs only those whose buffers are in memory: it costs what is active. */
    readonly booksInMemory: Effect.Effect<BooksReport, ApiUnavailable>;
    /** Recounts the log: takes as long as reading it does. */
    readonly audit: Effect.Effect<AuditReport, ApiUnavailable>;
    /** Every check by name; the node is ready when all are. */
    readonly readiness: Effect.Effect<ReadonlyArray<ReadinessCheck>>;
    readonly version: { readonly spillway: string; readonly node: string; readonly natsServer: string | undefined };
  }
>()("spillway/api/NodeView") {}

/** The job does not decode; nothing was stored. */
export class InvalidJob extends Schema.TaggedError<InvalidJob>()("InvalidJob", {
  /** One line each, with the path of the field. */
  problems: Schema.Array(Schema.String),
}) {}

/** The stored revision is not the one that the caller expected; nothing was stored. */
export class JobConflict extends Schema.TaggedError<JobConflict>()("JobConflict", {
  /** What is stored; undefined when nothing is. */
  revision: Schema.UndefinedOr(Schema.Int),
}) {}

export class JobNotFound extends Schema.TaggedError<JobNotFound>()("JobNotFound", { id: Schema.String }) {}

/** A push job as an answer shows it: secrets are redacted. */
export type ShownJob = StoredJob;

export interface JobPage {
  readonly jobs: ReadonlyArray<ShownJob>;
  /** The `after` of the next page; absent on the last one. */
  readonly next?: string;
}

/** The same, as the answer to a write: with what the write did. */
export interface WrittenJob extends ShownJob {
  readonly change: JobChange;
}

/** What a change expects to find: a revision, nothing at all, or it does not care. */
export type ExpectedRevision = number | "absent" | undefined;

/** Push jobs, already redacted on their way out. */
export class JobsAdmin extends Context.Service<
  JobsAdmin,
  {
    /** Ordered by id. */
    readonly list: (page: PageRequest) => Effect.Effect<JobPage, ApiUnavailable>;
    readonly get: (id: string) => Effect.Effect<ShownJob, JobNotFound | ApiUnavailable>;
    /**
     * Creates or replaces; a job that is identical to the stored one is left alone. Completes once this node serves the
     * revision. A secret that still reads as the redaction mark keeps its stored value.
     *
     * @param input decoded JSON as it came, with `id` set to the id of the path
     */
    readonly put: (
      id: string,
      input: unknown,
      expected: ExpectedRevision,
    ) => Effect.Effect<WrittenJob, InvalidJob | JobConflict | ApiUnavailable>;
    readonly remove: (
      id: string,
      expected: ExpectedRevision,
    ) => Effect.Effect<void, JobNotFound | JobConflict | ApiUnavailable>;
  }
>()("spillway/api/JobsAdmin") {}

/**
 * Takes a whole ingest request over, answer included. A plain function on Node's own objects: the hot path pays for
 * neither router nor fiber.
 */
export type IngestHandler = (request: IncomingMessage, response: ServerResponse, dataset: string) => void;
