import { Effect, Result, Schema } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import {
  ConfigCommand,
  type ConfigDiff,
  type ConfigPlan,
  type ConfigStatus,
  type Freeze,
  type SnapshotName,
} from "../../domain/config-report.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { canaryProblem } from "./canary-problem.ts";
import { diffOf } from "./config-diff.ts";
import { loadHistory } from "./control-state.ts";
import { behindProblem, nextProposal, rollOut } from "./next-rollout.ts";
import { tell, verdictOn } from "./deeds.ts";
import {
  contentOf,
  type Desk,
  type DeskFailure,
  nowAt,
  publishedContent,
  readContent,
  saveDesk,
  textOf,
} from "./desk.ts";
import { nameOf } from "./point.ts";
import { againstOf, proposeRollback } from "./proposal.ts";
import { resume } from "./resume.ts";
import { rolloutOf, statusOf } from "./status.ts";
import { isStillStored } from "./waiting-changes.ts";

/** An answer as it is sent: exactly one of these. */
export type ControlAnswer =
  | { readonly done: unknown }
  | { readonly conflict: string }
  | { readonly notFound: number }
  /** What was asked for does not make sense; a text for people. */
  | { readonly invalid: string }
  | { readonly unavailable: string };

const decode = Schema.decodeUnknownOption(ConfigCommand);

export const answerCommand = Effect.fn("control.answerCommand")(function* (
  desk: Desk,
  written: unknown,
): Effect.fn.Return<ControlAnswer, DeskFailure> {
  const decoded = decode(written);
  if (decoded._tag === "None") return { conflict: "The control process does not know this command." };
  const command = decoded.value;
  switch (command.op) {
    case "status":
      return { done: yield* statusOf(desk) };
    case "plan":
      return yield* looking(Effect.map(planOf(desk), (done) => ({ done })));
    case "history": {
      const { limits, store } = desk.options;
      const bounds = { limit: command.limit, recordsMax: limits.rolloutHistoryMax };
      return yield* looking(Effect.map(loadHistory(store, desk.state.records, bounds), (done) => ({ done })));
    }
    case "diff":
      return yield* looking(diffBetween(desk, command.from, command.to));
    case "apply":
      return yield* apply(desk, command);
    case "rollback":
      return yield* rollBack(desk, command);
    case "freeze": {
      const { nowMillis } = yield* nowAt;
      freeze(desk, { who: command.who, why: command.why, atMillis: nowMillis });
      return yield* saved(desk);
    }
    case "unfreeze":
      freeze(desk, null);
      // Whatever was refused is looked at anew.
      desk.refused = undefined;
      desk.aside = undefined;
      return yield* saved(desk);
    case "halt":
    case "resume":
      return yield* haltOrResume(desk, command.op, command.why);
  }
});

/** Changes nothing: that it fails is nobody else's business. */
const looking = (answer: Effect.Effect<ControlAnswer, DeskFailure>): Effect.Effect<ControlAnswer> =>
  answer.pipe(Effect.catch((failure) => Effect.succeed({ unavailable: textOf(failure) })));

/** Also if nothing comes of what is at the gate. */
const freeze = (desk: Desk, frozen: Freeze | null): void => {
  const { intent } = desk.state;
  desk.state = { ...desk.state, frozen, ...(intent == null ? {} : { intent: { ...intent, frozenBefore: frozen } }) };
};

const saved = Effect.fnUntraced(function* (desk: Desk) {
  yield* saveDesk(desk);
  return { done: yield* statusOf(desk) };
});

const isIdle = (desk: Desk): boolean => desk.machine.value === "idle";
const underWay = (desk: Desk): ControlAnswer => ({
  conflict:
    `Snapshot ${desk.machine.context.target?.number ?? "?"} is on its way (${desk.machine.value}): ` +
    "wait for its end, or stop it with `spillway config halt` or `rollback`.",
});

const apply = Effect.fnUntraced(function* (
  desk: Desk,
  { accept, canaryNodes = [], unfreeze = false, who, why }: Extract<ConfigCommand, { readonly op: "apply" }>,
) {
  const { frozen } = desk.state;
  if (frozen !== null && !unfreeze)
    return {
      conflict:
        `The configuration is frozen by ${frozen.who}: ${frozen.why || "no reason given"}. Unfreeze it first (` +
        "or with it: --unfreeze).",
    };
  if (!isIdle(desk)) {
    // What passes the gate goes out by itself: whoever applies it mostly comes when it does already.
    const isThat = accept === null && canaryNodes.length === 0 && frozen === null;
    return isThat ? yield* begunWith(desk, desk.machine.context.target) : underWay(desk);
  }
  if (!desk.isResumed) yield* resume(desk);
  const behind = yield* behindProblem(desk);
  if (behind !== undefined) return { unavailable: behind };
  const proposal = yield* wantedOf(desk, accept);
  if (accept !== null && proposal?.snapshot.hash !== accept) {
    const now =
      proposal === undefined ? "Nothing is to be changed now." : "What would be rolled out now is another one.";
    return {
      conflict: `No snapshot ${accept.slice(0, 12)}… waits for being accepted. ${now} See \`spillway config plan\`.`,
    };
  }
  const named = [...new Set(canaryNodes)];
  if (named.length > 0 && proposal !== undefined) {
    const problem = canaryProblem(desk, named, yield* steadyMillis);
    if (problem !== undefined) return { invalid: problem };
  }
  desk.refused = undefined;
  if (proposal === undefined) {
    if (frozen !== null) freeze(desk, null);
    if (frozen !== null) yield* saveDesk(desk);
    return yield* begunWith(desk, null);
  }
  yield* rollOut(desk, { ...proposal, author: who, why }, { accept, canaryNodes: named, frozen: null });
  return yield* begunWith(desk, nameOf(proposal.snapshot));
});

/** All that waits; or what was to go out by itself and was refused, where exactly that is accepted. */
const wantedOf = Effect.fnUntraced(function* (desk: Desk, accept: string | null) {
  const all = yield* nextProposal(desk, "asked");
  const { options, refused } = desk;
  if (accept === null || all?.snapshot.hash === accept || refused?.snapshot.hash !== accept) return all;
  const { taken } = refused;
  const against = againstOf(options, yield* publishedContent(desk));
  return taken?.against === against && isStillStored(options.stored, taken) ? refused : undefined;
});

const rollBack = Effect.fnUntraced(function* (
  desk: Desk,
  {
    accept,
    to,
    who,
    why,
  }: { readonly accept: string | null; readonly to: number | null; readonly who: string; readonly why: string },
) {
  const { nowMillis } = yield* nowAt;
  if (!isIdle(desk)) return yield* takeBack(desk, { to, why: why || `${who} asked for it`, who, nowMillis });
  if (!desk.isResumed) yield* resume(desk);
  const found = yield* Effect.result(rollbackTo(desk, to));
  if (Result.isFailure(found)) return { unavailable: textOf(found.failure) };
  if (!("content" in found.success)) return found.success;
  const { content, inForce } = found.success;
  // Refused before, it is the same one again: only so can it be accepted by its hash.
  const again = desk.refusedRollback?.rollbackOf?.hash === content.hash ? desk.refusedRollback : undefined;
  const proposal =
    again?.snapshot.manifest.previous === inForce.manifest.number
      ? again
      : yield* proposeRollback(content, inForce, desk.state.highest + 1, { who, why }, undefined);
  // Else what the store has would be rolled out again at once.
  const frozen = { who, why: why || `after the rollback to ${content.manifest.number}`, atMillis: nowMillis };
  yield* rollOut(desk, { ...proposal, author: who, why }, { accept, frozen });
  // Whatever is refused meanwhile: it may be asked for again, and accepted.
  desk.refusedRollback = desk.refused?.snapshot.hash === proposal.snapshot.hash ? desk.refused : undefined;
  return yield* begunWith(desk, nameOf(proposal.snapshot));
});

interface RollbackContents {
  readonly content: Snapshot;
  readonly inForce: Snapshot;
}

const rollbackTo = Effect.fnUntraced(function* (
  desk: Desk,
  to: number | null,
): Effect.fn.Return<ControlAnswer | RollbackContents, DeskFailure> {
  const inForce = yield* publishedContent(desk);
  if (inForce === undefined) return { conflict: "No configuration is in force: there is nothing to go back from." };
  const number = to ?? inForce.manifest.previous;
  const content = yield* storedContent(desk, number);
  return content === undefined ? { notFound: number } : { content, inForce };
});

/** Some nodes have it, or are told to. */
const takeable: ReadonlySet<string> = new Set(["promoting", "watching", "halted"]);

/** What is on its way goes back to where it came from; another target must wait for that. */
const takeBack = Effect.fnUntraced(function* (
  desk: Desk,
  { nowMillis, to, who, why }: { readonly nowMillis: number; readonly to: number | null } & Omit<Freeze, "atMillis">,
) {
  const { base, target } = desk.machine.context;
  const event = { type: "rollout.rollBack", reason: why, nowMillis } as const;
  if (to === null || to === base?.number) {
    // Nothing has left the gate; without this it would be there again at once.
    if (desk.machine.value === "gating") freeze(desk, { who, why, atMillis: nowMillis });
    // Else it goes back by itself already.
    if (takeable.has(desk.machine.value)) desk.state = { ...desk.state, takenBackBy: who };
    yield* tell(desk, event);
    return yield* begunWith(desk, target);
  }
  // Unless there is no way back to that.
  if (desk.machine.value !== "rollingBack" || desk.trouble === undefined) return underWay(desk);
  const found = yield* Effect.result(storedContent(desk, to));
  if (Result.isFailure(found)) return { unavailable: textOf(found.failure) };
  if (found.success === undefined) return { notFound: to };
  const wayBack = desk.state.highest + 1;
  desk.state = { ...desk.state, highest: wayBack, wayBack };
  yield* tell(desk, { ...event, base: nameOf(found.success) });
  return yield* begunWith(desk, target);
});

/** It may have ended already: refused, or brought back. */
const begunWith = Effect.fnUntraced(function* (desk: Desk, begun: SnapshotName | null) {
  return { done: { ...(yield* statusOf(desk)), begun } satisfies ConfigStatus };
});

const haltOrResume = Effect.fnUntraced(function* (desk: Desk, op: "halt" | "resume", why: string) {
  const at = yield* nowAt;
  if (op === "resume" && desk.machine.value !== "halted") return { conflict: "No rollout is halted." };
  if (op === "halt" && desk.machine.value !== "promoting" && desk.machine.value !== "watching")
    return { conflict: "No rollout is under way that could be halted." };
  yield* tell(desk, op === "halt" ? { type: "rollout.halt", reason: why, ...at } : { type: "rollout.resume", ...at });
  return { done: yield* statusOf(desk) };
});

const storedContent = Effect.fnUntraced(function* (desk: Desk, number: number) {
  const hash = yield* desk.options.hashOf(number);
  return hash === undefined ? undefined : yield* readContent(desk, { number, hash });
});

const diffBetween = Effect.fnUntraced(function* (desk: Desk, from: number, to: number) {
  const [before, after] = [yield* storedContent(desk, from), yield* storedContent(desk, to)];
  if (before === undefined) return { notFound: from };
  if (after === undefined) return { notFound: to };
  return { done: (yield* diffOf(before, after)) satisfies ConfigDiff };
});

const planOf = Effect.fnUntraced(function* (desk: Desk) {
  const base = yield* publishedContent(desk);
  const rollout = rolloutOf(desk, yield* steadyMillis);
  const { target } = desk.machine.context;
  const { frozen } = desk.state;
  if (!isIdle(desk) && target !== null) {
    const content = yield* contentOf(desk, target);
    return { verdict: null, diff: yield* diffOf(base, content), frozen, rollout } satisfies ConfigPlan;
  }
  const behind = yield* behindProblem(desk);
  if (behind !== undefined) return yield* Effect.fail(behind);
  const proposal = yield* nextProposal(desk, "asked");
  if (proposal === undefined) {
    const at = base?.manifest.number ?? 0;
    return { verdict: null, diff: { from: at, to: at, changes: [], more: 0 }, frozen, rollout } satisfies ConfigPlan;
  }
  const verdict = yield* verdictOn(desk, proposal, null);
  return { verdict, diff: yield* diffOf(base, proposal.snapshot), frozen, rollout } satisfies ConfigPlan;
});
