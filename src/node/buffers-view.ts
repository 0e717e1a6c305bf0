import { Clock, Effect } from "effect";
import type { Buffer } from "../actors/buffer/buffer.ts";
import { Owner } from "../actors/owner.ts";
import { emptyJobSet, Jobs } from "../actors/ports/jobs.ts";
import type { PartitionState } from "../actors/partition/partition-state.ts";
import type { BufferPage, BufferReport, BufferSummary } from "../api/buffer-reports.ts";
import { type BufferQuery, BuffersView } from "../api/buffers-port.ts";
import { unexplained } from "../domain/books.ts";
import {
  type AbsentBuffer,
  type AbsentQuery,
  absentBuffer,
  absentBuffers,
  absentReport,
  absentSummary,
} from "./absent-buffers.ts";
import { FirstById } from "../domain/first-by-id.ts";

/** This node's buffers as the API shows them: read from the live state in one step, never from a copy. */
export const makeBuffersView = Effect.gen(function* () {
  const owner = yield* Owner;
  const jobs = yield* Jobs;
  const states = (): ReadonlyArray<PartitionState> => [...owner.owned().values()].map(({ state }) => state);
  return BuffersView.of({
    list: (query) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => pageOf(states(), query, nowMillis, jobs.served())),
    get: (job) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => {
        for (const state of states()) {
          const buffer = bufferIn(state, job);
          if (buffer !== undefined) return bufferReport(buffer, state.position, nowMillis);
        }
        const absent = absentBuffer(states(), jobs.served(), job);
        return absent === undefined ? undefined : absentReport(absent, nowMillis);
      }),
  });
});

/** The two places where buffers are found. */
const buffersIn = (state: PartitionState): Iterable<Buffer> => state.buffers.values();
const bufferIn = (state: PartitionState, job: string): Buffer | undefined => state.buffers.get(job);

/** Exported for its test: a page of a hundred thousand buffers must not take long. */
export const pageOf = (
  states: ReadonlyArray<PartitionState>,
  query: BufferQuery,
  nowMillis: number,
  set = emptyJobSet,
): BufferPage => {
  // One more than asked for, to know whether there is another page.
  const first = new FirstById<Buffer | AbsentBuffer>(query.limit + 1, ({ jobId }) => jobId);
  for (const state of states) {
    for (const buffer of buffersIn(state)) {
      const { jobId } = buffer;
      if (query.after !== undefined && jobId <= query.after) continue;
      if (first.wants(jobId) && matches(buffer, query)) first.add(buffer);
    }
  }
  const absent = absentQuery(query);
  if (absent !== undefined) addAbsent(first, query.limit + 1, absentBuffers(states, set, absent));
  const found = first.list();
  const buffers = found
    .slice(0, query.limit)
    .map((each) => ("brief" in each ? absentSummary(each, nowMillis) : bufferSummary(each, nowMillis)));
  return found.length > buffers.length ? { buffers, next: buffers.at(-1)!.job } : { buffers };
};

const addAbsent = (
  first: FirstById<Buffer | AbsentBuffer>,
  most: number,
  { buffers, ordered }: ReturnType<typeof absentBuffers>,
): void => {
  let added = 0;
  for (const each of buffers) {
    first.add(each);
    added += 1;
    if (ordered && added === most) return;
  }
};

/** Undefined: what is asked for, only buffers with an actor are. */
const absentQuery = ({ after, customer, flow, state }: BufferQuery): AbsentQuery | undefined => {
  if (flow !== undefined) return undefined;
  if (state !== undefined && state !== "hibernated" && state !== "waiting" && state !== "disabled") return undefined;
  return { after, customer, state };
};

const matches = ({ actor, newest: { job } }: Buffer, { customer, flow, state }: BufferQuery): boolean => {
  if (customer !== undefined && job.customer !== customer) return false;
  if (flow !== undefined && !isOrIsIn(actor?.flow(), flow)) return false;
  if (state === undefined) return true;
  if (state === "disabled") return !job.enabled;
  if (state === "restarting") return actor === undefined;
  return actor?.delivery() === state || isOrIsIn(actor?.flow(), state);
};

/** `overloaded.refuse` is `overloaded`, too. */
const isOrIsIn = (actual: string | undefined, wanted: string): boolean =>
  actual !== undefined && (actual === wanted || actual.startsWith(`${wanted}.`));

const bufferSummary = (buffer: Buffer, nowMillis: number): BufferSummary => {
  const { job } = buffer.newest;
  const { actor, ledger, pendingSinceMillis } = buffer;
  return {
    job: job.id,
    customer: job.customer,
    dataset: job.dataset,
    partition: buffer.partition,
    enabled: job.enabled,
    flow: actor?.flow() ?? null,
    delivery: actor?.delivery() ?? "restarting",
    resident: true,
    backlogRecords: ledger.pendingRecords,
    backlogBytes: ledger.pendingBytes,
    lagMillis: pendingSinceMillis === undefined ? 0 : Math.max(0, nowMillis - pendingSinceMillis),
    windowBytes: buffer.window.bytes(),
    crashes: buffer.crashes,
    attempts: actor?.context().failures ?? 0,
    lastSuccessMillis: buffer.lastSuccessMillis ?? null,
    lastErrorMillis: buffer.lastErrorMillis ?? null,
    lastError: buffer.lastError ?? null,
  };
};

/** @param position up to where the partition's reader has come */
const bufferReport = (buffer: Buffer, position: number, nowMillis: number): BufferReport => {
  const context = buffer.actor?.context();
  const books = buffer.ledger.books();
  const { evidence, lossMark } = buffer;
  const parts = context?.bisection ?? null;
  return {
    ...bufferSummary(buffer, nowMillis),
    cursor: buffer.cursor,
    counted: Math.max(buffer.countedBefore, position),
    fedTo: buffer.fedTo,
    reread: !buffer.live,
    batch: batchOf(context?.batch ?? null),
    part: parts === null ? null : { from: parts.done, to: parts.done + parts.size },
    retryAtMillis: context === undefined || context.retryAtMillis <= nowMillis ? null : context.retryAtMillis,
    refusal: context?.refusal ?? null,
    books,
    unexplained: unexplained(books),
    revisions: { newest: buffer.newest.revision, effective: buffer.effective.revision },
    evidence:
      evidence === undefined
        ? null
        : {
            ...evidence,
            firstSequence: evidence.firstSequence ?? null,
            lastSequence: evidence.lastSequence ?? null,
          },
    lossMark: lossMark ?? null,
    recent: buffer.recent(),
  };
};

const batchOf = (batch: NonNullable<ReturnType<NonNullable<Buffer["actor"]>["context"]>>["batch"]) =>
  batch === null
    ? null
    : { first: batch.first, last: batch.last, records: batch.records, bytes: batch.bytes, endMillis: batch.endMillis };
