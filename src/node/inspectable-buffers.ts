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

/** The buffers of this node as watchers see them. */
export const makeInspectableBuffers = Effect.gen(function* () {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  return {
    definition: definitionOf(bufferMachine),
    find: (job) => {
      for (const { state } of owner.owned().values()) {
        const buffer = state.buffers.get(job);
        if (buffer !== undefined) return inspectableOf(buffer);
      }
      // No record yet, or hibernated: the watcher waits for its actor.
      return jobs.served().byId.has(job) ? resting : undefined;
    },
  } satisfies InspectableBuffers;
});

const resting: InspectableBuffer = { actor: undefined, recent: () => [], figures: () => undefined };

export const inspectableOf = (buffer: Buffer): InspectableBuffer => ({
  actor: buffer.actor,
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
