import { Clock, Effect } from "effect";
import { auditPartition } from "../actors/audit.ts";
import type { Buffer } from "../actors/buffer/buffer.ts";
import { Owner } from "../actors/owner.ts";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import { Log } from "../actors/ports/log.ts";
import { ApiUnavailable, NodeView } from "../api/ports.ts";
import type { DoorReport, JobReport, ReadinessCheck } from "../api/reports.ts";
import { addBooks, addTally, emptyBooks, unexplained } from "../domain/books.ts";
import { Nats } from "../streams/nats.ts";

export interface NodeViewOptions {
  readonly partitions: number;
  readonly version: { readonly spillway: string; readonly node: string; readonly natsServer: string | undefined };
  readonly door: () => ReadonlyArray<DoorReport>;
}

/** What the API says about this node: read from the live state, never from a copy. */
export const makeNodeView = Effect.fnUntraced(function* (options: NodeViewOptions) {
  const owner = yield* Owner;
  const nats = yield* Nats;
  const log = yield* Log;
  const states = (): ReadonlyArray<PartitionState> => [...owner.owned().values()].map(({ state }) => state);

  const books = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis;
    const reports = states()
      .flatMap(({ buffers }) => [...buffers.values()].map((buffer) => jobReport(buffer, now)))
      .toSorted((a, b) => (a.job < b.job ? -1 : 1));
    const total = reports.reduce((sum, report) => addBooks(sum, report.books), emptyBooks);
    return {
      jobs: reports,
      totals: {
        books: total,
        unexplained: reports.reduce((sum, report) => addTally(sum, report.unexplained), { records: 0, bytes: 0 }),
        backlogRecords: total.pending.records,
      },
      door: options.door(),
    };
  });

  const audit = Effect.gen(function* () {
    const audits = yield* Effect.forEach(states(), auditPartition).pipe(Effect.provideService(Log, log));
    return { jobs: audits.flat().toSorted((a, b) => (a.job < b.job ? -1 : 1)) };
  }).pipe(Effect.mapError(({ detail }) => new ApiUnavailable({ detail: `The log cannot be read: ${detail}` })));

  const readiness = Effect.sync((): ReadonlyArray<ReadinessCheck> => {
    const owned = owner.owned().size;
    const paused = states().filter(({ mayPush }) => !mayPush).length;
    return [
      check("nats", nats.connected(), "connected", "a connection to NATS is down; it is tried again"),
      check("partitions", owned === options.partitions, `${owned} owned`, `${owned} of ${options.partitions} owned`),
      check("checkpoints", paused === 0, "landing", `${paused} partitions have had no checkpoint for too long`),
    ];
  });

  return NodeView.of({
    books,
    audit,
    readiness,
    version: options.version,
  });
});

const check = (name: string, ready: boolean, good: string, bad: string): ReadinessCheck => ({
  name,
  ready,
  detail: ready ? good : bad,
});

const jobReport = (buffer: Buffer, nowMillis: number): JobReport => {
  const { job } = buffer.newest;
  const books = buffer.ledger.books();
  return {
    job: job.id,
    customer: job.customer,
    dataset: job.dataset,
    state: job.enabled ? (buffer.actor?.delivery() ?? "restarting") : "disabled",
    books,
    unexplained: unexplained(books),
    backlogRecords: books.pending.records,
    lagMillis: buffer.pendingSinceMillis === undefined ? 0 : Math.max(0, nowMillis - buffer.pendingSinceMillis),
    lastSuccessMillis: buffer.lastSuccessMillis ?? null,
    lastErrorMillis: buffer.lastErrorMillis ?? null,
    lastError: buffer.lastError ?? null,
  };
};
