import { Effect } from "effect";
import type { RolloutEnd, RolloutEvent, SnapshotRef } from "../../actors/rollout/machine.ts";
import type { RolloutRecord } from "../../domain/config-report.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { segmentOfPair } from "../../domain/segment-of.ts";
import type { TrafficOf } from "../gate/radius.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { judge } from "../gate/gate.ts";
import { noteOfEnd } from "./audit-notes.ts";
import { noteInHistory } from "./control-state.ts";
import {
  advance,
  contentOf,
  type Deed,
  type Desk,
  type DeskFailure,
  nowAt,
  publishedContent,
  saveDesk,
} from "./desk.ts";
import { type Proposal, proposeRollback } from "./proposal.ts";
import { segmentsOf, stageOf } from "./stage.ts";
import { stepNumbers } from "./step-numbers.ts";
import { isDirect, noteTold } from "./told-nodes.ts";

const writesMax = 64;

/** Tells the machine, and does what follows from it, and what follows from that. Each deed may happen twice. */
export const tell = (desk: Desk, event: RolloutEvent): Effect.Effect<void, DeskFailure> =>
  Effect.flatMap(advance(desk, event), (deeds) =>
    Effect.forEach(deeds, (deed) => perform(desk, deed), { discard: true }),
  );

const perform = (desk: Desk, { params, type }: Deed): Effect.Effect<void, DeskFailure> => {
  switch (type) {
    case "judge":
      return judgeTarget(desk, params as SnapshotRef);
    case "publish":
      return publish(desk, params as { readonly target: SnapshotRef; readonly percent: number });
    case "restoreBase":
      return restoreBase(desk, params as SnapshotRef | null);
    default:
      return reportEnd(desk, params as RolloutEnd);
  }
};

/** What the gate says of a proposal now. */
export const verdictOn = Effect.fnUntraced(function* (desk: Desk, proposal: Proposal, accepted: string | null) {
  const { options } = desk;
  const previous = yield* publishedContent(desk);
  const traffic = desk.reports.traffic(yield* steadyMillis);
  return yield* judge(proposal.snapshot, {
    cell: options.cell(),
    limits: options.limits,
    previous,
    rollbackOf: proposal.rollbackOf,
    inStore: options.inStore,
    pending: options.stored,
    trafficOf: estimateOf(traffic, previous),
    problemOf: options.problemOf,
    accepted: accepted ?? undefined,
  });
});

/** What is delivered of a segment is taken to be spread evenly over the jobs in it: nobody keeps a rate of each job. */
const estimateOf =
  (traffic: Float64Array | undefined, previous: Snapshot | undefined): TrafficOf =>
  (pairKey) => {
    if (traffic === undefined) return undefined;
    const segment = segmentOfPair(pairKey);
    return traffic[segment]! / Math.max(1, previous?.manifest.segments[segment]?.entries ?? 1);
  };

const judgeTarget = Effect.fnUntraced(function* (desk: Desk, target: SnapshotRef) {
  const { proposal } = desk;
  if (proposal === undefined || proposal.snapshot.hash !== target.hash) {
    const reason = "the control process was started anew: it is generated again";
    return yield* tell(desk, { type: "gate.refused", reason, ...(yield* nowAt) });
  }
  const verdict = yield* verdictOn(desk, proposal, desk.accept);
  proposal.verdict = verdict;
  if (!verdict.passed && desk.options.faults.isGateOn()) {
    desk.refused = proposal;
    const reason = verdict.refusals.map(({ message }) => message).join(" ");
    return yield* tell(desk, { type: "gate.refused", reason, ...(yield* nowAt) });
  }
  desk.refused = undefined;
  desk.state = { ...desk.state, accepted: verdict.accepted.length > 0 || !verdict.passed };
  const { store } = desk.options;
  yield* Effect.forEach(proposal.blobs, ([hash, stored]) => store.putBlob(hash, stored), {
    concurrency: writesMax,
    discard: true,
  });
  yield* store.putManifest(target.number, proposal.encoded);
  yield* tell(desk, {
    type: "gate.passed",
    // Whoever names nodes wants them to go first, however small it is.
    small: (verdict.small && desk.machine.context.canaryNodes.length === 0) || !desk.options.faults.isStaged(),
    ...(yield* nowAt),
  });
});

const publish = Effect.fnUntraced(function* (
  desk: Desk,
  { percent, target }: { readonly target: SnapshotRef; readonly percent: number },
) {
  const { base, canaryNodes } = desk.machine.context;
  const content = yield* contentOf(desk, target);
  if (base === null || isDirect(desk.machine.context)) {
    yield* noteTold(desk, {});
    return yield* point(desk, content);
  }
  const from = yield* contentOf(desk, base);
  const numbers = stepNumbers(desk.machine.context);
  const isAhead = canaryNodes.length > 0 && percent < 100;
  const ahead = isAhead ? yield* staged(desk, from, content, { number: numbers.canary, percent: 100 }) : undefined;
  const stage = percent === 0 ? undefined : yield* staged(desk, from, content, { number: numbers.step, percent });
  yield* noteTold(desk, { added: stage?.added, addedAhead: ahead?.added });
  const canary = ahead?.snapshot;
  if (stage === undefined) return yield* point(desk, from, { canary });
  // The last step is watched no more: everybody has it.
  yield* point(desk, stage.snapshot, { canary, segments: percent < 100 ? segmentsOf(percent) : undefined });
});

/** Stored, and the same again when it is made again. */
const staged = Effect.fnUntraced(function* (
  desk: Desk,
  from: Snapshot,
  content: Snapshot,
  { number, percent }: { readonly number: number; readonly percent: number },
) {
  const stage = yield* stageOf(from, content, { number, percent, previous: from.manifest.number });
  yield* desk.options.store.putManifest(number, stage.encoded);
  return stage;
});

/** Tells all nodes. */
const point = Effect.fnUntraced(function* (
  desk: Desk,
  snapshot: Snapshot,
  {
    accepted = desk.state.accepted,
    canary,
    segments,
  }: {
    readonly accepted?: boolean;
    /** For the nodes that were named. */
    readonly canary?: Snapshot | undefined;
    readonly segments?: number | undefined;
  } = {},
) {
  const { store } = desk.options;
  const ref = nameOf(snapshot);
  const pointer = yield* store.pointer;
  const isTold = pointer?.value.hash === ref.hash && pointer.value.canary?.hash === canary?.hash;
  if (!isTold)
    yield* store.point(
      {
        ...ref,
        accepted,
        ...(segments === undefined ? {} : { watch: { segments } }),
        ...(canary === undefined ? {} : { canary: { ...nameOf(canary), nodes: desk.machine.context.canaryNodes } }),
      },
      pointer?.revision ?? 0,
    );
  desk.at.set(ref.hash, snapshot);
  if (canary !== undefined) desk.at.set(canary.hash, canary);
  desk.state = { ...desk.state, published: ref, canary: canary === undefined ? null : nameOf(canary) };
  yield* saveDesk(desk);
});

const nameOf = ({ hash, manifest }: Snapshot): SnapshotRef => ({ number: manifest.number, hash });

/** The content that was in force, as a new snapshot: it was judged once, and is judged again. */
const restoreBase = Effect.fnUntraced(function* (desk: Desk, base: SnapshotRef | null) {
  const { published } = desk.state;
  const { canaryNodes, reason } = desk.machine.context;
  // Named nodes may have it, though what all were told is what they had.
  const isAhead = canaryNodes.length > 0;
  if (base === null || published === null || (published.hash === base.hash && !isAhead)) {
    const to = base ?? published ?? desk.machine.context.target!;
    return yield* tell(desk, { type: "base.restored", base: to, ...(yield* nowAt) });
  }
  const [content, inForce] = [yield* contentOf(desk, base), yield* contentOf(desk, published)];
  const number = stepNumbers(desk.machine.context).wayBack;
  const isBack = inForce.manifest.rollbackOf === base.number && inForce.manifest.number === number;
  if (!isBack) {
    const asked = { who: "spillway", why: reason };
    const proposal = yield* proposeRollback(content, inForce, number, asked, content.manifest.createdMillis);
    const verdict = yield* verdictOn(desk, proposal, proposal.snapshot.hash);
    if (!verdict.passed && desk.options.faults.isGateOn())
      return yield* Effect.fail(`the way back is refused: ${verdict.refusals.map(({ message }) => message).join(" ")}`);
    yield* desk.options.store.putManifest(number, proposal.encoded);
    yield* point(desk, proposal.snapshot, { accepted: true });
  }
  const { nowMillis } = yield* nowAt;
  // Stored together with the end of the rollout: else the same changes would be on their way again at once.
  desk.state = { ...desk.state, frozen: { who: "spillway", why: reason, atMillis: nowMillis } };
  yield* tell(desk, { type: "base.restored", base: desk.state.published!, nowMillis });
});

/** A control process that ended between the end of a rollout and its record has left the latter to the next one. */
export const reportLostEnd = Effect.fnUntraced(function* (desk: Desk) {
  const { last: end } = desk.machine.context;
  const { last } = desk.state;
  if (desk.machine.value !== "idle" || end === null) return;
  const { hash, number } = end.target;
  const isReported =
    last?.number === number && last.hash === hash && last.result === end.result && last.atMillis === end.atMillis;
  if (!isReported) yield* reportEnd(desk, end);
});

const reportEnd = Effect.fnUntraced(function* (desk: Desk, end: RolloutEnd) {
  const { limits, store } = desk.options;
  const proposal = desk.proposal?.snapshot.hash === end.target.hash ? desk.proposal : undefined;
  const record: RolloutRecord = {
    result: end.result,
    number: end.target.number,
    hash: end.target.hash,
    inForce: desk.state.published?.number ?? 0,
    atMillis: end.atMillis,
    reason: end.result === "complete" ? "" : end.reason,
    author: proposal?.author ?? "",
    why: proposal?.why ?? "",
    rollbackOf: proposal?.snapshot.manifest.rollbackOf ?? null,
    verdict: proposal?.verdict === undefined ? null : proposal.verdict,
  };
  yield* noteInHistory(store, record, desk.state.records, limits.rolloutHistoryMax);
  const { refusedKey, unaudited = [] } = desk.state;
  const rules = proposal?.verdict?.refusals.map(({ rule }) => rule).join() ?? "";
  const refusedNow = end.result === "refused" && proposal !== undefined ? `${proposal.key} ${rules}` : null;
  const isTold = refusedNow !== null && refusedNow === refusedKey;
  desk.state = {
    ...desk.state,
    last: record,
    records: desk.state.records + 1,
    accepted: false,
    unaudited: isTold ? unaudited : [...unaudited, noteOfEnd(desk.options.node, record)],
    refusedKey: refusedNow,
  };
  desk.accept = null;
  desk.at.clear();
  if (end.result !== "refused") desk.proposal = undefined;
  yield* saveDesk(desk);
  yield* desk.options.ended(record);
});
