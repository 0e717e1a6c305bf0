import { Effect, Layer, Redacted } from "effect";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isDeepStrictEqual } from "node:util";
import {
  ApiUnavailable,
  type ExpectedRevision,
  type IngestHandler,
  InvalidJob,
  JobConflict,
  JobNotFound,
  JobsAdmin,
  NodeView,
  type ShownJob,
  type WrittenJob,
} from "../../src/api/ports.ts";
import type { AlertsReport } from "../../src/api/alert-reports.ts";
import { AlertsView } from "../../src/api/alerts-port.ts";
import type { HostReport } from "../../src/api/host-reports.ts";
import { DrillAdmin } from "../../src/api/drill-port.ts";
import type { Dataset } from "../../src/domain/dataset.ts";
import { DatasetsView } from "../../src/api/datasets-port.ts";
import type { JobRevisionReport } from "../../src/api/job-history-reports.ts";
import { HostsView } from "../../src/api/hosts-port.ts";
import { LimitsView } from "../../src/api/limits-port.ts";
import type { BooksReport, LimitReport } from "../../src/api/reports.ts";
import { serveApi } from "../../src/api/server.ts";
import type { PageRequest } from "../../src/api/page-query.ts";
import { emptyBooks } from "../../src/domain/books.ts";
import { idPageOf } from "../../src/domain/id-page.ts";
import { batchDefaults, type PushJob } from "../../src/domain/push-job.ts";

import { FakeBuffers } from "./fake-buffers.ts";
import { FakeDrill } from "./fake-drill.ts";
import { FakeDeadLetters } from "./fake-dead-letters.ts";
import { FakeAudit } from "./fake-audit.ts";
import { FakeConfig } from "./fake-config.ts";
import { FakeReceipts } from "./fake-receipts.ts";
import { FakeReplays } from "./fake-replays.ts";
import { FakeSwitches } from "./fake-switches.ts";
import { fakeHistory } from "./fake-history.ts";
import { fakeTransactions } from "./fake-transactions.ts";

/** A scripted node behind the real server. */
export class FakeNode {
  readonly jobs = new Map<string, ShownJob>();
  readonly letters = new FakeDeadLetters();
  readonly replays = new FakeReplays();
  datasets: Array<Dataset> = [];
  hosts: Array<HostReport> = [];
  readonly revisions = new Map<string, ReadonlyArray<JobRevisionReport>>();
  alerts: AlertsReport = { alerts: [], leftOut: [] };
  limits: Array<LimitReport> = [{ name: "recordBytesMax", value: 1_048_576, unit: "bytes" }];
  readonly buffers = new FakeBuffers();
  readonly receipts = new FakeReceipts();
  readonly audit = new FakeAudit();
  readonly config = new FakeConfig();
  readonly drill = new FakeDrill();
  readonly switches = new FakeSwitches();
  revision = 0;
  down = false;
  ready = true;
  unexplained = 0;
  bookedJobs = 1;
  auditDifference = 0;

  books(): BooksReport {
    const books = {
      ...emptyBooks,
      accepted: { records: 10, bytes: 1_000 },
      delivered: { records: 7 - this.unexplained, bytes: 700 },
      pending: { records: 3, bytes: 300 },
    };
    const unexplained = { records: this.unexplained, bytes: 0 };
    return {
      jobs: [
        {
          job: "job-1",
          customer: "acme",
          dataset: "http_requests",
          state: "filling",
          books,
          unexplained,
          backlogRecords: 3,
          lagMillis: 1_500,
          lastSuccessMillis: 1_700_000_000_000,
          lastErrorMillis: null,
          lastError: null,
        },
      ],
      totals: { books, unexplained, backlogRecords: 3 },
      door: [{ dataset: "http_requests", accepted: 10, refused: 2, unconfigured: 1 }],
    };
  }

  /** Of as many jobs as `bookedJobs` says, each like the one of `books`. */
  booksPage({ after, limit }: PageRequest): BooksReport {
    const { jobs, ...rest } = this.books();
    const entries = Array.from({ length: this.bookedJobs }, (_, i) => {
      const job = i === 0 ? "job-1" : `job-1-${String(i).padStart(7, "0")}`;
      return [job, { ...jobs[0]!, job }] as const;
    });
    const { items, next } = idPageOf(
      entries.filter(([id]) => after === undefined || id > after),
      limit,
    );
    return { jobs: items, ...rest, ...(next === undefined ? {} : { next }) };
  }

  put(id: string, input: unknown, expected: ExpectedRevision): Effect.Effect<WrittenJob, JobConflict | InvalidJob> {
    const before = this.jobs.get(id);
    if (expected === "absent" ? before !== undefined : expected !== undefined && before?.revision !== expected) {
      return Effect.fail(new JobConflict({ revision: before?.revision }));
    }
    const job = { enabled: true, batch: batchDefaults, ...(input as object) } as unknown as PushJob;
    if (typeof job.customer !== "string") {
      return Effect.fail(new InvalidJob({ problems: ["customer: must be a string"] }));
    }
    if (before !== undefined && isDeepStrictEqual(before.job, job)) {
      return Effect.succeed({ ...before, change: "unchanged" });
    }
    const stored = { job, revision: ++this.revision };
    this.jobs.set(id, stored);
    return Effect.succeed({ ...stored, change: before === undefined ? "created" : "updated" });
  }

  remove(id: string, expected: ExpectedRevision): Effect.Effect<void, JobConflict | JobNotFound> {
    const before = this.jobs.get(id);
    if (before === undefined) return Effect.fail(new JobNotFound({ id }));
    if (expected !== undefined && before.revision !== expected) {
      return Effect.fail(new JobConflict({ revision: before.revision }));
    }
    return Effect.sync(() => void this.jobs.delete(id));
  }

  get layer() {
    const answer = <A>(make: () => A) =>
      Effect.suspend(() =>
        this.down ? Effect.fail(new ApiUnavailable({ detail: "NATS does not answer" })) : Effect.succeed(make()),
      );
    const tally = { records: 10, bytes: 1_000 };
    return Layer.mergeAll(
      Layer.succeed(NodeView, {
        books: (page) => answer(() => this.booksPage(page)),
        booksInMemory: answer(() => this.books()),
        audit: answer(() => ({
          jobs: [
            {
              job: "job-1",
              recountedAccepted: { records: 10 + this.auditDifference, bytes: 1_000 },
              bookAccepted: tally,
              difference: { records: this.auditDifference, bytes: 0 },
              horizon: "",
            },
          ],
        })),
        readiness: Effect.sync(() => [
          { name: "nats", ready: this.ready, detail: this.ready ? "connected" : "disconnected" },
        ]),
        version: { spillway: "0.1.0", node: "v24", natsServer: "2.15.1" },
      }),
      Layer.succeed(JobsAdmin, {
        list: ({ after, limit }) =>
          answer(() => {
            const sorted = [...this.jobs].toSorted(([a], [b]) => (a < b ? -1 : 1));
            const { items, next } = idPageOf(
              sorted.filter(([id]) => after === undefined || id > after),
              limit,
            );
            return { jobs: items, ...(next === undefined ? {} : { next }) };
          }),
        get: (id) =>
          Effect.suspend(() => {
            const found = this.jobs.get(id);
            return found === undefined ? Effect.fail(new JobNotFound({ id })) : Effect.succeed(found);
          }),
        put: (id, input, expected) => Effect.suspend(() => this.put(id, input, expected)),
        remove: (id, expected) => Effect.suspend(() => this.remove(id, expected)),
      }),
      fakeHistory(this),
      fakeTransactions(this),
      this.letters.layer,
      this.replays.layer,
      this.buffers.layer,
      Layer.succeed(LimitsView, { list: Effect.sync(() => this.limits) }),
      Layer.succeed(AlertsView, { report: () => this.alerts }),
      Layer.succeed(DatasetsView, { report: () => ({ number: 3, datasets: this.datasets }) }),
      Layer.succeed(HostsView, { list: (hostsMax) => this.hosts.slice(0, hostsMax) }),
      this.receipts.layer,
      this.audit.layer,
      this.config.layer,
      Layer.succeed(DrillAdmin, this.drill.admin),
      this.switches.layer,
    );
  }
}

export const aJob = {
  customer: "acme",
  dataset: "http_requests",
  enabled: true,
  destination: { kind: "file" as const, path: "/tmp/out" },
};

/** Answers every ingest request with the dataset it was called with. */
export const echoIngest: IngestHandler = (request: IncomingMessage, response: ServerResponse, dataset: string) => {
  request.resume();
  request.on("end", () => response.end(JSON.stringify({ ingested: dataset })));
};

/** The real server on a free port, in the caller's scope. */
export const startApi = (
  node: FakeNode,
  options: { readonly token?: string; readonly ingest?: IngestHandler; readonly host?: string } = {},
) =>
  serveApi({
    host: options.host ?? "127.0.0.1",
    port: 0,
    token: options.token === undefined ? undefined : Redacted.make(options.token),
    ingest: options.ingest,
  }).pipe(Effect.provide(node.layer));
