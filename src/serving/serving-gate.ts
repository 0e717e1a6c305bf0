import { Effect, Result, Schema } from "effect";
import { unknownFieldsOf } from "../domain/dataset.ts";
import { segmentOf, segmentOfPair } from "../domain/segment-of.ts";
import { datasetsOf, readsAlike } from "../snapshot/catalogue.ts";
import { largestOf, type Manifest } from "../snapshot/manifest.ts";
import { decodeSegment, type SnapshotEntry } from "../snapshot/segment.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { mayGoBack, wayBackProblem } from "./way-back.ts";

/** A node does not serve this snapshot. What it serves stays as it is. */
export class ConfigRefused extends Schema.TaggedError<ConfigRefused>()("ConfigRefused", {
  /** A word for the counter `config_refused`. */
  rule: Schema.Literals([
    "otherCell",
    "backInTime",
    "fromTheFuture",
    "tooLarge",
    "damaged",
    "wrongSegment",
    "jobUndecodable",
    "countsDiffer",
    "notARollback",
    "catalogueUndecodable",
    "unknownField",
    "datasetInUse",
    "empty",
    "absentWithoutOrder",
    "revisionReused",
    "idTwice",
    "shrunk",
  ]),
  number: Schema.Int,
  message: Schema.String,
}) {}

export interface ServingLimits {
  readonly jobsMax: number;
  /** Of all segments, uncompressed. */
  readonly snapshotBytesMax: number;
  /** Of one segment, or of the catalogue, uncompressed: so much is inflated in one go. */
  readonly segmentBytesMax: number;
  /** Of the enabled jobs, the share that one snapshot may stop without somebody having accepted it. */
  readonly servedRemovedPercentMax: number;
  /** Fewer than so many are no share of anything. */
  readonly smallChangeJobsMax: number;
  /** How far ahead of this node's clock a snapshot may have been made. */
  readonly clockSkewMillisMax: number;
}

export interface ServingFacts {
  readonly limits: ServingLimits;
  /** What this node serves; undefined: it never served anything. */
  readonly current: Snapshot | undefined;
  /** Of the job store, as this node knows it; undefined: it has never heard of it. */
  readonly cell: string | undefined;
  /** Whether a person accepted that exactly this snapshot takes away much. */
  readonly isAccepted: boolean;
  /** Manifests that are stored, by number, to compare with what goes back: see `pastOf`. */
  readonly past: ReadonlyMap<number, Manifest>;
  /** Whether the bytes are this job: of this id, customer, dataset and state. */
  readonly isJob: (entry: SnapshotEntry) => boolean;
  /** The pair of the job that this node serves under an id; undefined: none. */
  readonly servedPair?: ((id: string) => string | undefined) | undefined;
  readonly nowMillis: number;
}

/** Segments whose bytes this node has yet to read, and the jobs in them: what is to be put or taken out. */
export interface Adoption {
  readonly put: ReadonlyArray<SnapshotEntry>;
  readonly removed: ReadonlyArray<RemovedEntry>;
}

/** A job that is served no more. */
export interface RemovedEntry {
  readonly id: string;
  readonly customer: string;
  readonly revision: number;
  /** What its last settings were and when it was removed (`removal.ts`); empty where nothing tells. */
  readonly data: Uint8Array;
}

/**
 * Decides once more, on the node that would serve it, whether a snapshot may be served: by code of its own, on its own
 * copy of what is served, knowing nothing of what the control side found. Reads only what differs.
 *
 * @returns what has to be done to serve it
 */
export const admit = Effect.fn("serving.admit")(function* (
  next: Snapshot,
  facts: ServingFacts,
): Effect.fn.Return<Adoption, ConfigRefused> {
  yield* checkManifest(next.manifest, facts);
  const problem = wayBackProblem(next.manifest, facts);
  if (problem !== undefined) return yield* refuse("notARollback", next.manifest, problem);
  yield* checkCatalogue(next, facts);
  const put: Array<SnapshotEntry> = [];
  const removed: Array<RemovedEntry> = [];
  const isBack = mayGoBack(next.manifest, facts.current);
  const isSameStore = facts.current === undefined || facts.current.manifest.cell === next.manifest.cell;
  const before = facts.current?.manifest.totals;
  const counted = { jobs: before?.jobs ?? 0, enabled: before?.enabled ?? 0 };
  let stopped = 0;
  for (const [segment, { hash }] of next.manifest.segments.entries()) {
    if (facts.current?.manifest.segments[segment]!.hash === hash) continue;
    yield* Effect.yieldNow;
    const wanted = yield* read(next, segment, facts);
    const served = new Map<string, SnapshotEntry>();
    if (facts.current !== undefined) {
      for (const entry of yield* readServed(facts.current, segment, next.manifest.number)) served.set(entry.id, entry);
    }
    count(counted, served.values(), -1);
    count(counted, wanted, 1);
    for (const entry of wanted) {
      const was = served.get(entry.id);
      served.delete(entry.id);
      // Revisions of two stores cannot be compared.
      if (isSameStore) yield* checkSuccession(was, entry, next.manifest, isBack);
      if (was?.state === "enabled" && entry.state !== "enabled") stopped += 1;
      // What was removed before is removed: it has had its grace.
      if (was?.revision === entry.revision && was.state === entry.state && isSameStore) continue;
      if (entry.state === "removed") removed.push(entry);
      else put.push(entry);
    }
    for (const left of served.values()) {
      if (left.state === "removed") continue;
      if (!isBack)
        return yield* refuse("absentWithoutOrder", next.manifest, `the job ${left.id} is gone and nothing says why`);
      if (left.state === "enabled") stopped += 1;
      removed.push({ id: left.id, customer: left.customer, revision: left.revision, data: noData });
    }
  }
  const { enabled, jobs } = next.manifest.totals;
  if (counted.jobs !== jobs || counted.enabled !== enabled)
    return yield* refuse(
      "countsDiffer",
      next.manifest,
      `it holds ${counted.jobs} jobs, ${counted.enabled} of them enabled; its manifest says ${jobs} and ${enabled}`,
    );
  yield* checkShrinking(stopped, next.manifest, facts);
  yield* checkIds({ put, removed }, next.manifest, facts);
  return { put, removed };
});

const count = (counted: { jobs: number; enabled: number }, entries: Iterable<SnapshotEntry>, sign: 1 | -1): void => {
  for (const { state } of entries) {
    if (state !== "removed") counted.jobs += sign;
    if (state === "enabled") counted.enabled += sign;
  }
};

const refuse = (rule: ConfigRefused["rule"], { number }: Manifest, message: string) =>
  Effect.fail(new ConfigRefused({ rule, number, message }));

const checkManifest = Effect.fnUntraced(function* (manifest: Manifest, facts: ServingFacts) {
  const { cell, current, limits, nowMillis } = facts;
  // Accepted, it is the one that a node brought along whose store of jobs was lost.
  if (cell !== undefined && manifest.cell !== cell && !facts.isAccepted)
    return yield* refuse("otherCell", manifest, `it is of the cluster ${manifest.cell}, this node is of ${cell}`);
  if (current !== undefined && current.manifest.cell !== manifest.cell && !facts.isAccepted)
    return yield* refuse("otherCell", manifest, "the job store was replaced, and nobody has accepted that");
  if (current !== undefined && manifest.number <= current.manifest.number)
    return yield* refuse("backInTime", manifest, `snapshot ${current.manifest.number} is served already`);
  if (manifest.createdMillis > nowMillis + limits.clockSkewMillisMax)
    return yield* refuse("fromTheFuture", manifest, "it was made later than now: compare the clocks");
  const bytes = manifest.segments.reduce((sum, mark) => sum + mark.bytes, 0);
  if (bytes > limits.snapshotBytesMax)
    return yield* refuse("tooLarge", manifest, `${bytes} bytes of jobs, ${limits.snapshotBytesMax} are the limit`);
  const largest = largestOf(manifest);
  if (largest > limits.segmentBytesMax)
    return yield* refuse(
      "tooLarge",
      manifest,
      `a segment of ${largest} bytes, ${limits.segmentBytesMax} are the limit`,
    );
  if (manifest.totals.jobs > limits.jobsMax)
    return yield* refuse("tooLarge", manifest, `${manifest.totals.jobs} jobs, ${limits.jobsMax} are the limit`);
  const servedNow = current?.manifest.totals.enabled ?? 1;
  if (manifest.totals.enabled === 0 && servedNow > 0 && !facts.isAccepted)
    return yield* refuse("empty", manifest, "no job in it is enabled");
});

/** How records are read may change under no job that is delivered, unless somebody has looked at it. */
const checkCatalogue = Effect.fnUntraced(function* (next: Snapshot, { current, isAccepted }: ServingFacts) {
  const { manifest } = next;
  if (current?.manifest.catalogue.hash === manifest.catalogue.hash) return;
  const after = datasetsOf(next);
  if (Result.isFailure(after)) return yield* refuse("catalogueUndecodable", manifest, after.failure);
  const before = current === undefined ? undefined : datasetsOf(current);
  if (before === undefined || Result.isFailure(before) || isAccepted) return;
  for (const dataset of after.success.values()) {
    const [unknown] = unknownFieldsOf(dataset);
    const was = before.success.get(dataset.name);
    if (unknown === undefined || (was !== undefined && unknownFieldsOf(was).length > 0)) continue;
    const message = `${dataset.name} would be read by ${unknown.field}, which is none of its fields`;
    return yield* refuse("unknownField", manifest, message);
  }
  for (const dataset of before.success.values()) {
    const enabled = manifest.datasets[dataset.name]?.enabled ?? 0;
    if (enabled === 0 || readsAlike(dataset, after.success.get(dataset.name))) continue;
    const message = `${enabled} jobs deliver ${dataset.name}, and its records would be read in another way`;
    return yield* refuse("datasetInUse", manifest, message);
  }
});

const read = Effect.fnUntraced(function* ({ blob, manifest }: Snapshot, segment: number, { isJob }: ServingFacts) {
  const mark = manifest.segments[segment]!;
  const stored = blob(mark.hash);
  if (stored === undefined) return yield* refuse("damaged", manifest, `segment ${segment} is missing`);
  const decoded = decodeSegment(stored, mark);
  if (Result.isFailure(decoded))
    return yield* refuse("damaged", manifest, `segment ${segment}: ${decoded.failure.message}`);
  for (const entry of decoded.success) {
    if (segmentOf(entry.customer) !== segment)
      return yield* refuse("wrongSegment", manifest, `the job ${entry.id} is in segment ${segment}`);
    if (entry.state !== "removed" && !isJob(entry))
      return yield* refuse("jobUndecodable", manifest, `the job ${entry.id} does not decode`);
  }
  return decoded.success;
});

/** What is served was read before: should it be damaged now, nothing is compared with it and nothing changes. */
const readServed = Effect.fnUntraced(function* (current: Snapshot, segment: number, number: number) {
  const mark = current.manifest.segments[segment]!;
  const stored = current.blob(mark.hash);
  const decoded = stored === undefined ? undefined : decodeSegment(stored, mark);
  if (decoded !== undefined && Result.isSuccess(decoded)) return decoded.success;
  const message = `segment ${segment} of what is served cannot be read any more: nothing can be compared with it`;
  return yield* new ConfigRefused({ rule: "damaged", number, message });
});

const checkSuccession = (
  before: SnapshotEntry | undefined,
  entry: SnapshotEntry,
  manifest: Manifest,
  isBack: boolean,
) => {
  if (before === undefined || before.revision < entry.revision) return Effect.void;
  if (before.revision > entry.revision)
    return isBack
      ? Effect.void
      : refuse("backInTime", manifest, `the job ${entry.id} would go back to an earlier revision`);
  return isSame(before, entry)
    ? Effect.void
    : refuse("revisionReused", manifest, `the job ${entry.id} has another content at the same revision`);
};

/** An id is one job: of two in different segments, the one would be served that was read last. */
const checkIds = ({ put, removed }: Adoption, manifest: Manifest, { servedPair }: ServingFacts) => {
  const seen = new Set<string>();
  const gone = new Set(removed.map(({ customer, id }) => `${segmentOf(customer)} ${id}`));
  for (const { customer, id } of put) {
    const pair = servedPair?.(id);
    const before = pair === undefined ? undefined : segmentOfPair(pair);
    const isOthers = before !== undefined && before !== segmentOf(customer) && !gone.has(`${before} ${id}`);
    if (isOthers || seen.has(id)) return refuse("idTwice", manifest, `the id ${id} would be a job of two customers`);
    seen.add(id);
  }
  return Effect.void;
};

/** An entry of a removed job tells of the moment at which it was made: taken back and made anew, it is another one. */
const isSame = (before: SnapshotEntry, entry: SnapshotEntry): boolean =>
  before.state === entry.state &&
  before.customer === entry.customer &&
  before.dataset === entry.dataset &&
  (entry.state === "removed" || Buffer.compare(before.data, entry.data) === 0);

const checkShrinking = (stopped: number, manifest: Manifest, { current, isAccepted, limits }: ServingFacts) => {
  const enabled = current?.manifest.totals.enabled ?? 0;
  const isMuch = stopped > limits.smallChangeJobsMax && stopped * 100 > limits.servedRemovedPercentMax * enabled;
  return !isMuch || isAccepted
    ? Effect.void
    : refuse("shrunk", manifest, `${stopped} of ${enabled} enabled jobs would be served no more`);
};

const noData = new Uint8Array();
