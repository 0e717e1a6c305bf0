import { Clock, Effect, Result } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import { mayNote } from "./audit-notes.ts";
import { silentRule } from "../gate/rules.ts";
import type { Aside } from "./aside.ts";
import { tell } from "./deeds.ts";
import { type Desk, publishedContent } from "./desk.ts";
import type { Freeze } from "../../domain/config-report.ts";
import { changedSegments, type Snapshot } from "../../snapshot/snapshot.ts";
import { intentOf } from "./intent.ts";
import {
  againstOf,
  keyOf,
  type Proposal,
  proposeChanges,
  sourceOf,
  type TakenChanges,
  takeChanges,
} from "./proposal.ts";
import { numbersBeside } from "./step-numbers.ts";
import { allWaiting, nextWaiting, type WaitingChanges } from "./waiting-changes.ts";

/** A wave of changes is over when nothing has come for so long, and waited for no longer than that. */
const quietMillis = 150;
const waveMillisMax = 2_000;

/** While many changes come one after the other, each would be a snapshot of its own, all but the last for nothing. */
const isWaveComing = (desk: Desk, nowMillis: number): boolean => {
  const { limits, position, stored } = desk.options;
  // The first jobs of all mostly come together, from a file.
  if (stored.pending <= limits.smallChangeJobsMax && desk.state.published !== null) {
    desk.wave = undefined;
    return false;
  }
  if (stored.pending === 0) return false;
  const { wave } = desk;
  if (wave === undefined || wave.position !== position()) {
    desk.wave = { position: position(), sinceMillis: wave?.sinceMillis ?? nowMillis, lastMillis: nowMillis };
  }
  const { lastMillis, sinceMillis } = desk.wave!;
  const isOver = nowMillis - lastMillis >= quietMillis || nowMillis - sinceMillis >= waveMillisMax;
  if (isOver) desk.wave = undefined;
  return !isOver;
};

/** Generates what is to be in force next, unless nothing is, or it is what the gate has just refused. */
export const proposeIfDue = Effect.fnUntraced(function* (desk: Desk) {
  yield* forgetRefusal(desk);
  if (!mayNote(desk)) return;
  if (desk.state.frozen !== null || isWaveComing(desk, yield* steadyMillis)) return;
  const proposal = yield* nextProposal(desk, "byItself");
  if (proposal === undefined) return;
  if (desk.refused?.key === proposal.key && !(yield* isAnsweredNow(desk))) return;
  yield* rollOut(desk, proposal);
});

/** A rollback that was refused can be accepted by its hash for so long. */
const rollbackMillisMax = 600_000;

/** What was refused and is wanted no more, since it was taken back or not insisted on, is no refusal any longer. */
const forgetRefusal = Effect.fnUntraced(function* (desk: Desk) {
  const { faults, stored } = desk.options;
  const { aside, refused } = desk;
  if ((refused === undefined && aside === undefined) || !canTell(desk)) return;
  if (stored.pending === 0) desk.aside = undefined;
  if (refused === undefined) return;
  if (stored.pending > 0 || faults.armed() !== "" || (yield* hasNewCatalogue(desk))) return;
  const askedMillis = refused.rollbackOf === undefined ? 0 : refused.snapshot.manifest.createdMillis;
  if ((yield* Clock.currentTimeMillis) - askedMillis > rollbackMillisMax) desk.refused = undefined;
});

const hasNewCatalogue = (desk: Desk) =>
  Effect.map(
    publishedContent(desk),
    (base) => base !== undefined && base.manifest.catalogue.hash !== desk.options.catalogue().hash,
  );

/** A job store that gave the gate no answer is asked again so often. */
const askAgainMillis = 5_000;

/**
 * Whether the gate had refused for want of an answer, and there is one now. Asked apart from the gate: a store that is
 * silent for hours makes no record every few seconds.
 */
const isAnsweredNow = Effect.fnUntraced(function* ({ options, refused }: Desk) {
  const silence = refused?.verdict?.refusals.find(({ rule }) => rule === silentRule);
  const steady = yield* steadyMillis;
  if (refused === undefined || silence === undefined || steady - (refused.askedMillis ?? 0) < askAgainMillis)
    return false;
  refused.askedMillis = steady;
  const [id = ""] = silence.jobs;
  return Result.isSuccess(yield* Effect.result(options.inStore(id)));
});

/** What is pending is counted against what this node serves: before that is what is in force, nothing can be told. */
const isBehind = ({ options, state }: Desk): boolean => options.current()?.hash !== state.published?.hash;

/** Whether this node can tell what is pending. */
const canTell = (desk: Desk): boolean => !isBehind(desk) && desk.options.isCaughtUp();

/** Somebody waits for the answer: a node that has just been told takes a moment. */
const behindMillisMax = 2_000;
const behindPollMillis = 50;

/** For people: why it cannot be told what is pending. Undefined: it can. */
export const behindProblem = Effect.fnUntraced(function* (desk: Desk) {
  const sinceMillis = yield* steadyMillis;
  while (!canTell(desk)) {
    if ((yield* steadyMillis) - sinceMillis >= behindMillisMax) return behindText(desk);
    yield* Effect.sleep(behindPollMillis);
  }
  return undefined;
});

const behindText = (desk: Desk): string => {
  const { node } = desk.options;
  if (!isBehind(desk))
    return `${node}, whose control process leads, has yet to read the job store to its end. Come again soon.`;
  return (
    `${node}, whose control process leads, does not serve snapshot ${desk.state.published?.number ?? "?"} yet, ` +
    "which is in force: what is pending cannot be told before it does. Come again soon; `spillway config status` " +
    "says whether it refuses that."
  );
};

/**
 * Undefined: what is stored is in force. The same as long as nothing has changed.
 *
 * @param how what a person plans or applies is all that waits; by itself one customer may go out after the other
 */
export const nextProposal = Effect.fnUntraced(function* (desk: Desk, how: "byItself" | "asked") {
  const { options } = desk;
  if (!canTell(desk)) return undefined;
  const base = yield* publishedContent(desk);
  const isNew = base !== undefined && base.manifest.catalogue.hash !== options.catalogue().hash;
  // A cluster that has no job yet needs no configuration either.
  if (base === undefined && options.stored.size === 0) return undefined;
  const isBroken = options.faults.armed() !== "";
  if (options.stored.pending === 0 && !isNew && !isBroken) return undefined;
  const changes = how === "asked" ? allWaiting(options.stored, options.position()) : readyByItself(desk, base);
  if (changes === undefined) return undefined;
  const key = keyOf(sourceOf(options, base), changes);
  const proposal =
    desk.generated.find((each) => each.key === key) ??
    (yield* propose(desk, base, takeChanges(options, base, changes, key)));
  // A generator that is broken for a drill makes the same for ever.
  return isBroken && isSame(base, proposal) ? undefined : proposal;
});

/** Undefined: the gate has refused all that waits, and neither that nor what is in force has changed since. */
const readyByItself = (desk: Desk, base: Snapshot | undefined): WaitingChanges | undefined => {
  const { aside, options } = desk;
  const bounds = { ...options.limits, isFirst: base === undefined };
  const next = (without?: Aside) => nextWaiting(options.stored, options.position(), { ...bounds, aside: without });
  if (aside === undefined) return next();
  const source = sourceOf(options, base);
  const ready = aside.nothingElseAt === source ? undefined : next(aside);
  if (ready !== undefined) return ready;
  if (aside.against !== againstOf(options, base)) {
    desk.aside = undefined;
    return next();
  }
  desk.aside = { ...aside, nothingElseAt: source };
  // Whatever a person has asked for meanwhile that was refused: this stands.
  desk.refused = aside.refused;
  return undefined;
};

const propose = Effect.fnUntraced(function* (desk: Desk, base: Snapshot | undefined, changes: TakenChanges) {
  const { options, state } = desk;
  // After the store was lost a node may serve more than this one knows of: it takes nothing that is not above that.
  const served = desk.reports.live(yield* steadyMillis).map(({ serves }) => serves?.number ?? 0);
  const made = yield* Effect.result(proposeChanges(options, base, Math.max(state.highest, ...served) + 1, changes));
  if (Result.isFailure(made)) return yield* Effect.fail(`no configuration can be generated: ${made.failure}`);
  const source = sourceOf(options, base);
  desk.generated = [...desk.generated.filter(({ key }) => key.startsWith(source)), made.success];
  return made.success;
});

/** What would be put into force is what is. */
const isSame = (base: Snapshot | undefined, { snapshot }: Proposal): boolean =>
  base !== undefined &&
  base.manifest.catalogue.hash === snapshot.manifest.catalogue.hash &&
  changedSegments(base.manifest, snapshot.manifest).length === 0;

export interface RollOutOptions {
  /** The hash whose blast radius a person has accepted. */
  readonly accept?: string | null;
  /** These serve all of it before anybody else does any of it. */
  readonly canaryNodes?: ReadonlyArray<string>;
  /** What is frozen from now on, unless the gate refuses it; by default nothing changes. */
  readonly frozen?: Freeze | null;
}

/** One at a time: the machine is idle. What is wanted, and what is frozen with it, is stored in one write. */
export const rollOut = Effect.fnUntraced(function* (
  desk: Desk,
  proposal: Proposal,
  { accept = null, canaryNodes = [], frozen = desk.state.frozen }: RollOutOptions = {},
) {
  const { context } = desk.machine;
  const intent = intentOf(desk.options, proposal, { accept, frozenBefore: desk.state.frozen });
  desk.proposal = proposal;
  const { hash, manifest } = proposal.snapshot;
  // They come after its own.
  const highest = Math.max(desk.state.highest, manifest.number + numbersBeside(context));
  desk.state = { ...desk.state, highest, accepted: false, frozen, intent, wayBack: null, takenBackBy: null };
  desk.machine = { ...desk.machine, context: { ...context, base: desk.state.published } };
  const nowMillis = yield* Clock.currentTimeMillis;
  const target = { number: manifest.number, hash };
  proposal.askedMillis = yield* steadyMillis;
  yield* tell(desk, { type: "snapshot.proposed", target, canaryNodes, nowMillis });
});
