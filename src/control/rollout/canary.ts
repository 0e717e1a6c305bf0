import type { SnapshotRef } from "../../actors/rollout/machine.ts";
import type { Desk } from "./desk.ts";

/** All of the target, and the nodes that serve it ahead of the others. */
export interface Canary extends SnapshotRef {
  readonly nodes: ReadonlyArray<string>;
}

/** Undefined: no nodes were named, or nobody has it yet, or everybody has. */
export const canaryOf = ({ machine: { context, value }, state: { canary } }: Desk): Canary | undefined =>
  value === "idle" || canary == null || context.canaryNodes.length === 0
    ? undefined
    : { ...canary, nodes: context.canaryNodes };

/** Nobody but the named nodes has it. */
export const isAtCanaryOnly = ({ machine: { context } }: Desk): boolean => context.steps[context.step] === 0;

/** What a node is told to serve, as far as the rollout under way has changed that; undefined: it has not. */
export const toldTo = (desk: Desk, node: string): SnapshotRef | undefined => {
  const canary = canaryOf(desk);
  if (canary?.nodes.includes(node) === true) return canary;
  return canary !== undefined && isAtCanaryOnly(desk) ? undefined : (desk.state.published ?? undefined);
};
