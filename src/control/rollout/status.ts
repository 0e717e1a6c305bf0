import { Effect, Option } from "effect";
import type { ConfigStatus, RolloutReport } from "../../domain/config-report.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";
import { adoptionOf } from "./adoption.ts";
import { canaryOf } from "./canary.ts";
import { type Desk, publishedContent } from "./desk.ts";
import { returnOf } from "./way-back.ts";

/** Where a rollout is. @param steady the steady clock's time */
export const rolloutOf = (desk: Desk, steady: number): RolloutReport => {
  const { context, value } = desk.machine;
  const { base, elapsedMillis, reason, steps, target, watchMillis } = context;
  const canary = canaryOf(desk);
  const isOn = value !== "idle" && value !== "gating";
  return {
    state: value,
    target,
    base,
    percent: isOn ? percentOf(desk) : 0,
    steps,
    elapsedMillis,
    watchMillis,
    reason,
    ...(isOn ? { adopted: value === "returning" ? returnOf(desk, steady) : adoptionOf(desk, steady) } : {}),
    ...(canary === undefined ? {} : { canary }),
  };
};

const percentOf = ({ machine: { context, value } }: Desk): number => {
  if (value === "returning") return 0;
  return context.small || context.base === null ? 100 : (context.steps[context.step] ?? 100);
};

/** Never fails: above all when something else does, somebody has to see where things are. */
export const statusOf = Effect.fnUntraced(function* (desk: Desk) {
  const { frozen, last, published } = desk.state;
  const content = Option.flatMap(yield* Effect.option(publishedContent(desk)), Option.fromUndefinedOr);
  const steady = yield* steadyMillis;
  const { trouble } = desk;
  const status: ConfigStatus = {
    leader: desk.options.node,
    inForce: published === null ? null : { ...published, ...Option.match(content, { onNone: () => ({}), onSome }) },
    pending: desk.options.stored.pending,
    frozen,
    rollout: rolloutOf(desk, steady),
    refusal: desk.refused?.verdict ?? null,
    last,
    nodes: [...desk.reports.list(steady)],
    ...(trouble === undefined
      ? {}
      : { trouble: { why: trouble.why, millis: Math.round(steady - trouble.sinceMillis) } }),
  };
  return status;
});

const onSome = ({ manifest: { createdMillis, totals } }: Snapshot) => ({
  jobs: totals.jobs,
  enabled: totals.enabled,
  createdMillis,
});
