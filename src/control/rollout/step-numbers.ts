import type { RolloutContext } from "../../actors/rollout/machine.ts";

/** Steps, the named nodes' snapshot, the last step and the way back: what a rollout may need beside its own number. */
export const numbersBeside = ({ steps }: RolloutContext): number => steps.length + 3;

/**
 * Numbers of the snapshots that a rollout makes on its way. They rise from step to step, and every node's do: what the
 * named nodes have is above all steps but the last, so that an owner which meets a chunk that one of them let in knows
 * that the jobs for it are still to come, whatever step it is at itself.
 */
export const stepNumbers = ({ canaryNodes, step, steps, target }: RolloutContext) => {
  const own = target!.number;
  const ahead = canaryNodes.length > 0 ? 1 : 0;
  const isLast = step === steps.length - 1;
  return {
    step: own + 1 + step + (isLast ? ahead : 0),
    canary: own + steps.length,
    wayBack: own + steps.length + 1 + ahead,
  };
};
