import { Effect, Schema } from "effect";
import { steadyMillis } from "../../domain/steady-clock.ts";
import {
  ConfigCommand,
  type ConfigDiff,
  type ConfigPlan,
  type ConfigStatus,
  type RolloutReport,
  type SnapshotName,
} from "../../domain/config-report.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { adoptionOf } from "./adoption.ts";
import { canaryOf } from "./canary.ts";
import { canaryProblem } from "./canary-problem.ts";
import { diffOf } from "./config-diff.ts";
import { loadHistory } from "./control-state.ts";
import { nextProposal, rollOut } from "./next-rollout.ts";
import { tell, verdictOn } from "./deeds.ts";
import { contentOf, type Desk, type DeskFailure, nowAt, publishedContent, saveDesk } from "./desk.ts";
import { type Proposal, proposeRollback } from "./proposal.ts";

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
      return { done: yield* planOf(desk) };
    case "history": {
      const { limits, store } = desk.options;
      const bounds = { limit: command.limit, recordsMax: limits.rolloutHistoryMax };
      return { done: yield* loadHistory(store, desk.state.records, bounds) };
    }
    case "diff":
      return yield* diffBetween(desk, command.from, command.to);
    case "apply":
      return yield* apply(desk, command);
    case "rollback":
      return yield* rollBack(desk, command);
    case "freeze": {
      const { nowMillis } = yield* nowAt;
      desk.state = { ...desk.state, frozen: { who: command.who, why: command.why, atMillis: nowMillis } };
      return yield* saved(desk);
    }
    case "unfreeze":
      desk.state = { ...desk.state, frozen: null };
      // Whatever was refused is looked at anew.
      desk.refused = undefined;
      return yield* saved(desk);
    case "halt":
    case "resume":
      return yield* haltOrResume(desk, command.op, command.why);
  }
});

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
  if (!isIdle(desk)) return underWay(desk);
  const proposal = yield* nextProposal(desk);
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
  desk.accept = accept;
  desk.refused = undefined;
  if (frozen !== null) {
    desk.state = { ...desk.state, frozen: null };
    yield* saveDesk(desk);
  }
  if (proposal === undefined) return { done: { ...(yield* statusOf(desk)), begun: null } };
  yield* rollOut(desk, { ...proposal, author: who, why }, named);
  if (frozen !== null && isRefused(desk, proposal)) {
    desk.state = { ...desk.state, frozen };
    yield* saveDesk(desk);
  }
  return yield* begunWith(desk, nameOf(proposal.snapshot));
});

/** Else what refused it would be gone, and it be on its way as soon as anything changes. */
const isRefused = ({ refused }: Desk, { snapshot }: Proposal): boolean => refused?.snapshot.hash === snapshot.hash;

const rollBack = Effect.fnUntraced(function* (
  desk: Desk,
  {
    accept,
    to,
    who,
    why,
  }: { readonly accept: string | null; readonly to: number | null; readonly who: string; readonly why: string },
) {
  if (!isIdle(desk)) {
    // What is on its way goes back to where it came from; another target must wait for that.
    if (to !== null && to !== desk.machine.context.base?.number) return underWay(desk);
    const under = desk.machine.context.target;
    yield* tell(desk, { type: "rollout.rollBack", reason: why || `${who} asked for it`, ...(yield* nowAt) });
    return yield* begunWith(desk, under);
  }
  const inForce = yield* publishedContent(desk);
  if (inForce === undefined) return { conflict: "No configuration is in force: there is nothing to go back from." };
  const number = to ?? inForce.manifest.previous;
  const content = yield* storedContent(desk, number);
  if (content === undefined) return { notFound: number };
  const before = desk.state.frozen;
  // Else what the store has would be rolled out again at once.
  const frozen = { who, why: why || `after the rollback to ${number}`, atMillis: (yield* nowAt).nowMillis };
  desk.state = { ...desk.state, frozen };
  // Refused before, it is the same one again: only so can it be accepted by its hash.
  const again = desk.refusedRollback?.rollbackOf?.hash === content.hash ? desk.refusedRollback : undefined;
  const proposal =
    again?.snapshot.manifest.previous === inForce.manifest.number
      ? again
      : yield* proposeRollback(content, inForce, desk.state.highest + 1, { who, why }, undefined);
  desk.accept = accept;
  yield* rollOut(desk, proposal);
  desk.refusedRollback = desk.refused === proposal ? proposal : undefined;
  if (desk.refused === proposal) {
    desk.state = { ...desk.state, frozen: before };
    yield* saveDesk(desk);
  }
  return yield* begunWith(desk, nameOf(proposal.snapshot));
});

const nameOf = ({ hash, manifest }: Snapshot): SnapshotName => ({ number: manifest.number, hash });

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
  return hash === undefined ? undefined : yield* contentOf(desk, { number, hash });
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
  const proposal = yield* nextProposal(desk);
  if (proposal === undefined) {
    const at = base?.manifest.number ?? 0;
    return { verdict: null, diff: { from: at, to: at, changes: [], more: 0 }, frozen, rollout } satisfies ConfigPlan;
  }
  const verdict = yield* verdictOn(desk, proposal, null);
  return { verdict, diff: yield* diffOf(base, proposal.snapshot), frozen, rollout } satisfies ConfigPlan;
});

const rolloutOf = (desk: Desk, steady: number): RolloutReport => {
  const { base, elapsedMillis, reason, step, steps, target, watchMillis, small } = desk.machine.context;
  const canary = canaryOf(desk);
  const isOn = !isIdle(desk) && desk.machine.value !== "gating";
  return {
    state: desk.machine.value,
    target,
    base,
    percent: isOn ? (small || base === null ? 100 : (steps[step] ?? 100)) : 0,
    steps,
    elapsedMillis,
    watchMillis,
    reason,
    ...(isOn ? { adopted: adoptionOf(desk, steady) } : {}),
    ...(canary === undefined ? {} : { canary }),
  };
};

const statusOf = Effect.fnUntraced(function* (desk: Desk) {
  const inForce = yield* publishedContent(desk);
  const { frozen, last } = desk.state;
  const steady = yield* steadyMillis;
  const status: ConfigStatus = {
    leader: desk.options.node,
    inForce:
      inForce === undefined
        ? null
        : {
            number: inForce.manifest.number,
            hash: inForce.hash,
            jobs: inForce.manifest.totals.jobs,
            enabled: inForce.manifest.totals.enabled,
            createdMillis: inForce.manifest.createdMillis,
          },
    pending: desk.options.stored.pending,
    frozen,
    rollout: rolloutOf(desk, steady),
    refusal: desk.refused?.verdict ?? null,
    last,
    nodes: [...desk.reports.list(steady)],
  };
  return status;
});
