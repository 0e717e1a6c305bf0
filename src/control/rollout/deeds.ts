import { Effect, Result } from "effect";
import type { RolloutEnd, RolloutEvent, SnapshotRef } from "../../actors/rollout/machine.ts";
import type { RolloutRecord } from "../../domain/config-report.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { judge } from "../gate/gate.ts";
import { silentRule } from "../gate/rules.ts";
import { setAside } from "./aside.ts";
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
import { point } from "./point.ts";
import type { Proposal } from "./proposal.ts";
import { segmentsOf, stageOf } from "./stage.ts";
import { stepNumbers } from "./step-numbers.ts";
import { restoreBase } from "./way-back.ts";
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
      return Effect.flatMap(restoreBase(desk, params as SnapshotRef | null), (event) => tell(desk, event));
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
    servedPair: options.stored.servedPair,
    trafficOf: (segment) => traffic?.[segment],
    problemOf: options.problemOf,
    accepted: accepted ?? undefined,
  });
});

const judgeTarget = Effect.fnUntraced(function* (desk: Desk, target: SnapshotRef) {
  const { proposal } = desk;
  if (proposal === undefined || proposal.snapshot.hash !== target.hash)
    return yield* giveUp(desk, "the control process was started anew");
  const verdict = yield* verdictOn(desk, proposal, desk.state.intent?.accept ?? null);
  proposal.verdict = verdict;
  if (!verdict.passed && desk.options.faults.isGateOn()) {
    desk.refused = proposal;
    putAside(desk, proposal);
    return yield* refuse(desk, verdict.refusals.map(({ message }) => message).join(" "));
  }
  if (!isStillRefused(desk, proposal)) desk.refused = undefined;
  desk.state = { ...desk.state, accepted: verdict.accepted.length > 0 || !verdict.passed };
  const { store } = desk.options;
  yield* Effect.forEach(proposal.blobs, ([hash, stored]) => store.putBlob(hash, stored), {
    concurrency: writesMax,
    discard: true,
  });
  const stored = yield* Effect.result(store.putManifest(target.number, proposal.encoded));
  if (Result.isFailure(stored)) {
    // Never again will it be free.
    if (stored.failure.reason === "conflict") return yield* giveUp(desk, stored.failure.message);
    return yield* stored.failure;
  }
  yield* tell(desk, {
    type: "gate.passed",
    // Whoever names nodes wants them to go first, however small it is.
    small: (verdict.small && desk.machine.context.canaryNodes.length === 0) || !desk.options.faults.isStaged(),
    ...(yield* nowAt),
  });
});

/** What nobody has asked for is put aside, unless it is only that the gate had no answer. */
const putAside = (desk: Desk, proposal: Proposal): void => {
  const { author, taken, verdict } = proposal;
  const isAnswered = verdict?.refusals.every(({ rule }) => rule !== silentRule) === true;
  if (author === "" && taken !== undefined && isAnswered) desk.aside = setAside(desk.aside, proposal, taken);
};

/** What was refused is set aside, and nothing of it is in what goes out now. */
const isStillRefused = ({ aside, refused }: Desk, { taken }: Proposal): boolean => {
  if (aside === undefined || refused?.taken === undefined || taken?.customers === undefined) return false;
  const { customers } = refused.taken;
  return customers === undefined || ![...customers].some((each) => taken.customers!.has(each));
};

/**
 * Nothing comes of what is at the gate. What was frozen before is so again, in the same write: else it would be on its
 * way once more as soon as anything changes.
 */
const refuse = Effect.fnUntraced(function* (desk: Desk, reason: string) {
  const { intent } = desk.state;
  if (intent != null) desk.state = { ...desk.state, frozen: intent.frozenBefore };
  yield* tell(desk, { type: "gate.refused", reason, ...(yield* nowAt) });
});

/**
 * What is at the gate cannot be made again. What the store has may be proposed anew by itself; a way back or nodes that
 * go first are a person's wish, without which nothing must go out: they have to say it again.
 */
export const giveUp = Effect.fnUntraced(function* (desk: Desk, why: string) {
  const { intent } = desk.state;
  const isWished = intent != null && (intent.rollbackOf !== null || desk.machine.context.canaryNodes.length > 0);
  const isFrozen = isWished || intent?.frozenBefore != null;
  const next = isFrozen ? "it has to be asked for once more, and the configuration is frozen" : "it is generated again";
  const reason = `${why}: ${next}`;
  if (isWished && intent.frozenBefore === null) {
    const frozenBefore = { who: "spillway", why: reason, atMillis: (yield* nowAt).nowMillis };
    desk.state = { ...desk.state, intent: { ...intent, frozenBefore } };
  }
  yield* refuse(desk, reason);
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
  const { intent, takenBackBy } = desk.state;
  const proposal = desk.proposal?.snapshot.hash === end.target.hash ? desk.proposal : undefined;
  const record: RolloutRecord = {
    result: end.result,
    number: end.target.number,
    hash: end.target.hash,
    inForce: desk.state.published?.number ?? 0,
    atMillis: end.atMillis,
    reason: end.result === "complete" ? "" : end.reason,
    author: intent?.author ?? "",
    why: intent?.why ?? "",
    ...(end.result === "rolledBack" && takenBackBy != null ? { takenBackBy } : {}),
    rollbackOf: intent?.rollbackOf?.number ?? null,
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
    intent: null,
    wayBack: null,
    takenBackBy: null,
    accepted: false,
    unaudited: isTold ? unaudited : [...unaudited, noteOfEnd(desk.options.node, record)],
    refusedKey: refusedNow,
  };
  desk.at.clear();
  if (end.result !== "refused") {
    desk.proposal = undefined;
    desk.generated = [];
  }
  yield* saveDesk(desk);
  yield* desk.options.ended(record);
});
