import { canaryOf, toldTo } from "./canary.ts";
import type { Desk } from "./desk.ts";

/**
 * How many of the nodes that are told to serve something else serve it: what a step waits for.
 *
 * @param steady the steady clock's time: who has been silent for long is not waited for
 */
export const adoptionOf = (desk: Desk, steady: number): { readonly nodes: number; readonly of: number } => {
  const live = desk.reports.live(steady);
  const told = live.filter(({ node }) => toldTo(desk, node) !== undefined);
  // A node that was named is waited for, alive or not: what it was named for is to be seen on it.
  const gone = canaryOf(desk)?.nodes.filter((name) => !live.some(({ node }) => node === name)) ?? [];
  return {
    nodes: told.filter(({ node, serves }) => serves?.hash === toldTo(desk, node)?.hash).length,
    of: told.length + gone.length,
  };
};
