import { Effect } from "effect";
import type { Buffer } from "../actors/buffer/buffer.ts";
import { bufferMachine } from "../actors/buffer/machine.ts";
import { Owner } from "../actors/owner.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import { unexplained } from "../domain/books.ts";
import { definitionOf } from "../observability/inspection/definition.ts";
import type { BufferFigures } from "../observability/inspection/frame.ts";
import type { InspectableBuffer, InspectableBuffers } from "../observability/inspection/inspectable.ts";
import { redactText } from "../observability/redaction.ts";
import type { StoredJob } from "../domain/push-job.ts";
import { type AbsentBuffer, absentBuffer, absentReport, placeOf } from "./absent-buffers.ts";

/** The buffers of this node as watchers see them. */
export const makeInspectableBuffers = Effect.gen(function* () {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  return {
    definition: definitionOf(bufferMachine),
    find: (job) => {
      const states = [...owner.owned().values()].map(({ state }) => state);
      for (const { buffers } of states) {
        const buffer = buffers.get(job);
        if (buffer !== undefined) return inspectableOf(buffer);
      }
      const stored = jobs.served().byId.get(job);
      if (stored === undefined) return undefined;
      const absent = absentBuffer(states, jobs.served(), job);
      return absent === undefined ? elsewhere : restingOf(absent, stored);
    },
  } satisfies InspectableBuffers;
});

const elsewhere: InspectableBuffer = {
  actor: undefined,
  rest: "elsewhere",
  recent: () => [],
  figures: () => undefined,
};

/** The watcher waits for its actor, and sees meanwhile what the row tells. */
const restingOf = (absent: AbsentBuffer, stored: StoredJob): InspectableBuffer => ({
  actor: undefined,
  rest: absent.state.waiting.get(absent.jobId)?.enabled === false ? "disabled" : placeOf(absent),
  recent: () => [],
  figures: (nowMillis) => restingFigures(absent, stored, nowMillis),
});

const restingFigures = (absent: AbsentBuffer, { job }: StoredJob, nowMillis: number): BufferFigures => {
  const report = absentReport(absent, nowMillis);
  return {
    customer: job.customer,
    dataset: job.dataset,
    destination: job.destination.kind,
    revision: report.revisions.effective,
    delivery: null,
    flow: null,
    cursor: report.cursor,
    lagMillis: report.lagMillis,
    failures: 0,
    crashes: 0,
    windowBytes: 0,
    books: report.books,
    unexplainedRecords: report.unexplained.records,
    lastSuccessMillis: report.lastSuccessMillis,
    lastErrorMillis: report.lastErrorMillis,
    lastError: report.lastError === null ? null : redactText(report.lastError),
    evidence: report.evidence === null ? null : { ...report.evidence, error: redactText(report.evidence.error) },
  };
};

export const inspectableOf = (buffer: Buffer): InspectableBuffer => ({
  actor: buffer.actor,
  rest: "restarting",
  recent: () => buffer.recent(),
  figures: (nowMillis) => figuresOf(buffer, nowMillis),
});

const figuresOf = (buffer: Buffer, nowMillis: number): BufferFigures => {
  const { actor, effective, evidence, ledger, pendingSinceMillis } = buffer;
  const books = ledger.books();
  return {
    customer: effective.job.customer,
    dataset: effective.job.dataset,
    // Never its settings: they hold addresses and credentials.
    destination: effective.job.destination.kind,
    revision: effective.revision,
    delivery: actor?.delivery() ?? null,
    flow: actor?.flow() ?? null,
    cursor: buffer.cursor,
    lagMillis: pendingSinceMillis === undefined ? 0 : Math.max(0, nowMillis - pendingSinceMillis),
    failures: actor?.context().failures ?? 0,
    crashes: buffer.crashes,
    windowBytes: buffer.window.bytes(),
    books,
    unexplainedRecords: unexplained(books).records,
    lastSuccessMillis: buffer.lastSuccessMillis ?? null,
    lastErrorMillis: buffer.lastErrorMillis ?? null,
    lastError: buffer.lastError === undefined ? null : redactText(buffer.lastError),
    evidence: evidence === undefined ? null : { ...evidence, error: redactText(evidence.error) },
  };
};
