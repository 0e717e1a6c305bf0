import { Effect, Layer } from "effect";
import type { BufferReport } from "../../src/api/buffer-reports.ts";
import {
  BufferCommands,
  BufferNotFound,
  type BufferQuery,
  BuffersView,
  type CommandRefused,
  type SkipInput,
} from "../../src/api/buffers-port.ts";
import type { ApiUnavailable } from "../../src/api/ports.ts";
import type { CommandReport } from "../../src/domain/buffer-command.ts";
import { emptyBooks } from "../../src/domain/books.ts";

export const aBuffer = (job: string, over: Partial<BufferReport> = {}): BufferReport => ({
  job,
  customer: "acme",
  dataset: "http_requests",
  partition: 0,
  enabled: true,
  flow: "live",
  delivery: "idle",
  resident: true,
  backlogRecords: 0,
  backlogBytes: 0,
  lagMillis: 0,
  windowBytes: 0,
  crashes: 0,
  attempts: 0,
  lastSuccessMillis: null,
  lastErrorMillis: null,
  lastError: null,
  cursor: 12,
  counted: 12,
  fedTo: 12,
  reread: false,
  batch: null,
  part: null,
  retryAtMillis: null,
  refusal: null,
  books: emptyBooks,
  unexplained: { records: 0, bytes: 0 },
  revisions: { newest: 1, effective: 1 },
  evidence: null,
  lossMark: null,
  recent: [],
  ...over,
});

/** Scripted buffers; remembers what it was asked and told. */
export class FakeBuffers {
  buffers: Array<BufferReport> = [];
  queries: Array<BufferQuery> = [];
  told: Array<{ readonly command: string; readonly job: string; readonly to?: SkipInput }> = [];
  failure: CommandRefused | ApiUnavailable | undefined;

  private tell(command: string, job: string, after: string, to?: SkipInput) {
    return Effect.suspend((): Effect.Effect<CommandReport, BufferNotFound | CommandRefused | ApiUnavailable> => {
      this.told.push({ command, job, ...(to === undefined ? {} : { to }) });
      if (this.failure !== undefined) return Effect.fail(this.failure);
      const buffer = this.buffers.find((each) => each.job === job);
      if (buffer === undefined) return Effect.fail(new BufferNotFound({ job }));
      const passed = { firstSequence: 13, lastSequence: 20, records: buffer.backlogRecords, bytes: 70, millis: 1 };
      const skipped = command === "skip" && buffer.backlogRecords > 0 ? passed : null;
      const left = { backlogRecords: skipped === null ? buffer.backlogRecords : 0, backlogBytes: 0 };
      return Effect.succeed({ job, before: buffer.delivery, after, ...left, skipped });
    });
  }

  get layer() {
    return Layer.mergeAll(
      Layer.succeed(BuffersView, {
        list: (query) =>
          Effect.sync(() => {
            this.queries.push(query);
            const found = this.buffers.filter(
              ({ delivery, job }) =>
                (query.after === undefined || job > query.after) &&
                (query.state === undefined || delivery === query.state),
            );
            const page = found.slice(0, query.limit);
            return found.length > page.length ? { buffers: page, next: page.at(-1)!.job } : { buffers: page };
          }),
        get: (job) => Effect.sync(() => this.buffers.find((each) => each.job === job)),
      }),
      Layer.succeed(BufferCommands, {
        resume: (job) => this.tell("resume", job, "pushing"),
        quarantine: (job) => this.tell("quarantine", job, "quarantined"),
        skip: (job, to) => this.tell("skip", job, "idle", to),
      }),
    );
  }
}
