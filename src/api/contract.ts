import { Schema } from "effect";
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { Destination } from "../domain/destination.ts";
import { DrillState } from "../domain/drill-state.ts";
import { SwitchKind } from "../domain/kill-switch.ts";
import { JobChange, PushJob } from "../domain/push-job.ts";
import { AlertsReport } from "./alert-reports.ts";
import { HostReport, hostsAnswerMax } from "./host-reports.ts";
import { BuffersGroup } from "./buffers-contract.ts";
import { DrillGroup } from "./drill-contract.ts";
import { DeadLettersGroup } from "./dead-letters-contract.ts";
import { BadRequest, Conflict, NotFound, NotReady, PreconditionFailed, TooLarge, Unavailable } from "./failures.ts";
import { JobHistoryGroup } from "./job-history-contract.ts";
import { IngestGroup } from "./ingest-contract.ts";
import { JobTransactionsGroup } from "./job-transactions-contract.ts";
import { pageQuery } from "./page-query.ts";
import { ReplaysGroup } from "./replay-contract.ts";
import { ReceiptsGroup } from "./receipts-contract.ts";
import { AuditGroup } from "./audit-contract.ts";
import { ConfigGroup } from "./config-contract.ts";
import { SwitchesGroup } from "./switches-contract.ts";
import { AuditReport, BooksReport, DatasetsReport, LimitReport, ReadinessCheck, VersionReport } from "./reports.ts";

/** The HTTP API as data: routes, shapes, statuses. Handlers are apart, `/openapi.json` is generated from here. */

/** A stored push job, secrets redacted. `revision` is also the ETag. */
export const JobAnswer = Schema.Struct({ job: PushJob, revision: Schema.Int });

/** What PUT answers. `unchanged`: identical to what was stored, so nothing was written and the revision is the same. */
export const PutJobAnswer = Schema.Struct({ ...JobAnswer.fields, change: JobChange });

/** What PUT takes. Documentation only: the body is checked against the full schema, which names every problem. */
const JobInput = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  customer: Schema.String,
  dataset: Schema.String,
  enabled: Schema.optionalKey(Schema.Boolean),
  destination: Destination,
  batch: Schema.optionalKey(
    Schema.Struct({
      maxBytes: Schema.optionalKey(Schema.Int),
      maxRecords: Schema.optionalKey(Schema.Int),
      maxIntervalSeconds: Schema.optionalKey(Schema.Int),
    }),
  ),
});

const etag = { etag: Schema.String };
const id = { id: Schema.String };

export class JobsGroup extends HttpApiGroup.make("jobs").add(
  HttpApiEndpoint.get("listJobs", "/v1/jobs", {
    query: pageQuery,
    /** `next` is the `after` of the next page; absent on the last one. */
    success: Schema.Struct({ jobs: Schema.Array(JobAnswer), next: Schema.optionalKey(Schema.String) }),
    error: [BadRequest, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "List push jobs, ordered by id" })),
  HttpApiEndpoint.get("getJob", "/v1/jobs/:id", {
    params: id,
    success: HttpApiSchema.WithHeaders(JobAnswer, etag),
    error: [NotFound, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "One push job, secrets redacted" })),
  HttpApiEndpoint.put("putJob", "/v1/jobs/:id", {
    params: id,
    headers: { "if-match": Schema.optionalKey(Schema.String), "if-none-match": Schema.optionalKey(Schema.String) },
    payload: JobInput,
    success: [
      HttpApiSchema.WithHeaders(PutJobAnswer, etag),
      HttpApiSchema.WithHeaders(PutJobAnswer.pipe(HttpApiSchema.status(201)), etag),
    ],
    error: [BadRequest, Conflict, PreconditionFailed, TooLarge, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Create or replace a push job",
      description:
        "With If-Match, only when the stored revision is the named one; with If-None-Match: *, only when there is none " +
        "yet. A secret that still reads [redacted] keeps its stored value.",
    }),
  ),
  HttpApiEndpoint.delete("deleteJob", "/v1/jobs/:id", {
    params: id,
    headers: { "if-match": Schema.optionalKey(Schema.String) },
    success: HttpApiSchema.NoContent,
    error: [BadRequest, NotFound, Conflict, PreconditionFailed, Unavailable],
  }).annotateMerge(OpenApi.annotations({ summary: "Delete a push job" })),
) {}

export class NodeGroup extends HttpApiGroup.make("node").add(
  HttpApiEndpoint.get("books", "/v1/books", {
    query: { ...pageQuery, audit: Schema.optionalKey(Schema.Literals(["true", "false"])) },
    success: Schema.Struct({ ...BooksReport.fields, audit: Schema.optionalKey(AuditReport) }),
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "The books of push jobs, ordered by id, and their totals",
      description:
        "The totals are of all push jobs, whichever page it is. With audit=true the log is recounted and compared, which " +
        "takes as long as reading the log does; the audit is of all push jobs and comes with the first page only.",
    }),
  ),
  HttpApiEndpoint.get("limits", "/v1/limits", {
    success: Schema.Struct({ limits: Schema.Array(LimitReport) }),
  }).annotateMerge(OpenApi.annotations({ summary: "Every limit, its value and its use" })),
  HttpApiEndpoint.get("hosts", "/v1/hosts", {
    query: {
      limit: Schema.optionalKey(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: hostsAnswerMax })),
      ),
    },
    success: Schema.Struct({ hosts: Schema.Array(HostReport), more: Schema.Boolean }),
    error: BadRequest,
  }).annotateMerge(OpenApi.annotations({ summary: "Destination hosts of this node, those in trouble first" })),
  HttpApiEndpoint.get("datasets", "/v1/datasets", { success: DatasetsReport }).annotateMerge(
    OpenApi.annotations({ summary: "The catalogue of datasets, as it is in force on this node" }),
  ),
  HttpApiEndpoint.get("alerts", "/v1/alerts", { success: AlertsReport }).annotateMerge(
    OpenApi.annotations({ summary: "Alerts of this node: pending, firing, and resolved lately; the gravest first" }),
  ),
  HttpApiEndpoint.get("version", "/v1/version", { success: VersionReport }).annotateMerge(
    OpenApi.annotations({ summary: "Versions of this node" }),
  ),
) {}

export class HealthGroup extends HttpApiGroup.make("health").add(
  HttpApiEndpoint.get("healthz", "/healthz", {
    /** `drill`: the node was started for drills; what they have armed or switched off is told beside it. */
    success: Schema.Struct({
      status: Schema.Literal("ok"),
      drill: Schema.optionalKey(Schema.Literal(true)),
      node: Schema.optionalKey(DrillState.fields.node),
      roles: Schema.optionalKey(DrillState.fields.roles),
      faults: Schema.optionalKey(DrillState.fields.faults),
      guardsOff: Schema.optionalKey(DrillState.fields.guardsOff),
      /** How many kill switches of each kind are on; absent while none is. */
      killSwitches: Schema.optionalKey(Schema.Record(SwitchKind, Schema.optionalKey(Schema.Int))),
    }),
    /** Of the control address alone: the main thread has been stuck for too long. */
    error: Unavailable,
  }).annotateMerge(OpenApi.annotations({ summary: "The process is alive; needs no token" })),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: Schema.Struct({ ready: Schema.Literal(true), checks: Schema.Array(ReadinessCheck) }),
    error: NotReady,
  }).annotateMerge(OpenApi.annotations({ summary: "Every check passes; needs no token" })),
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
  }).annotateMerge(OpenApi.annotations({ summary: "Prometheus metrics" })),
) {}

const about = OpenApi.annotations({
  title: "Spillway",
  version: "1",
  description:
    "Multi-tenant log delivery. When the node has a token, every route but /healthz and /readyz needs the header " +
    "`Authorization: Bearer <token>`.",
});

/** What Effect's router serves. */
export class SpillwayApi extends HttpApi.make("spillway")
  .add(JobsGroup, NodeGroup, HealthGroup)
  .add(JobHistoryGroup)
  .add(DeadLettersGroup)
  .add(JobTransactionsGroup)
  .add(ReplaysGroup)
  .add(BuffersGroup)
  .add(ReceiptsGroup)
  .add(AuditGroup)
  .add(ConfigGroup)
  .add(DrillGroup)
  .add(SwitchesGroup)
  .annotateMerge(about) {}

/** What `/openapi.json` documents: everything served, the forwarder's raw route included. */
export class DocumentedApi extends HttpApi.make("spillway")
  .add(IngestGroup, JobsGroup, NodeGroup, HealthGroup)
  .add(JobHistoryGroup)
  .add(DeadLettersGroup)
  .add(JobTransactionsGroup)
  .add(ReplaysGroup)
  .add(BuffersGroup)
  .add(ReceiptsGroup)
  .add(AuditGroup)
  .add(ConfigGroup)
  .add(DrillGroup)
  .add(SwitchesGroup)
  .annotateMerge(about) {}

export const openapiPath = "/openapi.json";
