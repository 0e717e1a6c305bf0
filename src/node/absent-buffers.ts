import type { PartitionState } from "../actors/partition/partition-state.ts";
import type { Row } from "../actors/ports/checkpoints.ts";
import { briefOf, briefsOf, idsAfter, type JobBrief, type JobSet } from "../actors/ports/jobs.ts";
import type { BufferReport, BufferSummary } from "../api/buffer-reports.ts";
import { emptyBooks, unexplained } from "../domain/books.ts";

/** A push job of an owned partition without an actor: its buffer hibernates, waits for a place, or was never needed. */
export interface AbsentBuffer {
  readonly jobId: string;
  readonly state: PartitionState;
  readonly brief: JobBrief;
}

/** Which of them are wanted. */
export interface AbsentQuery {
  readonly after: string | undefined;
  readonly customer: string | undefined;
  /** Undefined: all. */
  readonly state: "hibernated" | "waiting" | "disabled" | undefined;
}

/**
 * Those that are asked for; `ordered`: by id. There may be a million: nothing is decoded, those that nearly all are
 * asked for come in order, so that whoever has enough need not go on, and of the others each is looked at no closer
 * than it takes to pass it over.
 */
export const absentBuffers = (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  query: AbsentQuery,
): { readonly ordered: boolean; readonly buffers: Iterable<AbsentBuffer> } => {
  const { after, customer, state } = query;
  if (states.length === 0) return { ordered: true, buffers: [] };
  if (state === "waiting") {
    const ids = states.flatMap(({ waiting, waitingBuffers }) => [...waiting.keys(), ...waitingBuffers.keys()]);
    return { ordered: false, buffers: absentOf(new Set(ids), states, set, query) };
  }
  if (customer === undefined && state !== "disabled") {
    return { ordered: true, buffers: absentOf(idsAfter(set, after), states, set, query) };
  }
  return { ordered: false, buffers: absentOf(selected(set, query), states, set, query) };
};

function* selected(set: JobSet, { customer, state }: AbsentQuery): Generator<string> {
  const prefix = customer === undefined ? "" : `${customer}.`;
  for (const [id, { enabled, pairKey }] of briefsOf(set)) {
    if ((state !== "disabled" || !enabled) && pairKey.startsWith(prefix)) yield id;
  }
}

function* absentOf(
  ids: Iterable<string>,
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  { after, customer, state: wanted }: AbsentQuery,
): Generator<AbsentBuffer> {
  const byPartition = new Map(states.map((state) => [state.partition, state]));
  for (const jobId of ids) {
    if (after !== undefined && jobId <= after) continue;
    const brief = briefOf(set, jobId);
    if (brief === undefined || (customer !== undefined && !brief.pairKey.startsWith(`${customer}.`))) continue;
    const state = stateOf(states, byPartition, set, brief);
    if (state === undefined || state.buffers.has(jobId)) continue;
    const absent = { jobId, state, brief };
    if (wanted === undefined || (wanted === "disabled" ? !brief.enabled : placeOf(absent) === wanted)) yield absent;
  }
}

export const absentBuffer = (
  states: ReadonlyArray<PartitionState>,
  set: JobSet,
  jobId: string,
): AbsentBuffer | undefined => {
  const brief = briefOf(set, jobId);
  if (brief === undefined) return undefined;
  const state = states.find(({ isOwn }) => isOwn(brief.pairKey));
  return state === undefined || state.buffers.has(jobId) ? undefined : { jobId, state, brief };
};

const stateOf = (
  states: ReadonlyArray<PartitionState>,
  byPartition: ReadonlyMap<number, PartitionState>,
  set: JobSet,
  { pairKey }: JobBrief,
): PartitionState | undefined => {
  const partition = set.pairs.get(pairKey)?.partition;
  return partition === undefined ? states.find(({ isOwn }) => isOwn(pairKey)) : byPartition.get(partition);
};

/** `waiting`: it has a backlog, and no place in memory yet. */
export const placeOf = ({ jobId, state }: AbsentBuffer): "waiting" | "hibernated" =>
  state.waiting.has(jobId) || state.waitingBuffers.has(jobId) ? "waiting" : "hibernated";

const rowOf = ({ jobId, state }: AbsentBuffer): Row | undefined =>
  state.waitingBuffers.get(jobId)?.rowNow() ?? state.rows.get(jobId);

/** Of one that waits, as far as it is known: rows do not tell. */
const lagMillisOf = ({ jobId, state }: AbsentBuffer, nowMillis: number): number => {
  const sinceMillis = state.waitingBuffers.get(jobId)?.pendingSinceMillis;
  return sinceMillis === undefined ? 0 : Math.max(0, nowMillis - sinceMillis);
};

export const absentSummary = (absent: AbsentBuffer, nowMillis: number, row = rowOf(absent)): BufferSummary => {
  const { brief, jobId, state } = absent;
  const [customer = "", dataset = ""] = brief.pairKey.split(".");
  const pending = row?.books.pending ?? emptyBooks.pending;
  return {
    job: jobId,
    customer,
    dataset,
    partition: state.partition,
    enabled: brief.enabled,
    flow: null,
    delivery: placeOf(absent),
    resident: false,
    backlogRecords: pending.records,
    backlogBytes: pending.bytes,
    lagMillis: lagMillisOf(absent, nowMillis),
    windowBytes: 0,
    crashes: 0,
    attempts: 0,
    lastSuccessMillis: row?.lastSuccessMillis ?? null,
    lastErrorMillis: row?.lastErrorMillis ?? null,
    lastError: row?.lastError ?? null,
  };
};

export const absentReport = (absent: AbsentBuffer, nowMillis: number): BufferReport => {
  const row = rowOf(absent);
  const books = row?.books ?? emptyBooks;
  const { position } = absent.state;
  // With nothing pending, everything that was read is settled: such a row is not rewritten.
  const cursor = books.pending.records > 0 ? (row?.cursor ?? 0) : position;
  return {
    ...absentSummary(absent, nowMillis, row),
    cursor,
    counted: row === undefined ? position : Math.max(row.counted, position),
    fedTo: cursor,
    reread: false,
    batch: null,
    part: null,
    retryAtMillis: null,
    refusal: null,
    books,
    unexplained: unexplained(books),
    revisions: { newest: absent.brief.revision, effective: row?.revision ?? absent.brief.revision },
    evidence:
      row?.evidence === undefined
        ? null
        : {
            ...row.evidence,
            firstSequence: row.evidence.firstSequence ?? null,
            lastSequence: row.evidence.lastSequence ?? null,
          },
    lossMark: row?.lossMark ?? null,
    recent: [],
  };
};
