import { toldTo } from "./canary.ts";
import type { Desk } from "./desk.ts";
import { countedOn, isDirect } from "./told-nodes.ts";

/**
 * How many of the nodes that are told to serve something else serve it: what a step waits for.
 *
 * @param steady the steady clock's time
 */
export const adoptionOf = (desk: Desk, steady: number): { readonly nodes: number; readonly of: number } => {
  const live = desk.reports.live(steady);
  const told = live.filter(({ node }) => toldTo(desk, node) !== undefined);
  return {
    nodes: told.filter(({ node, serves }) => serves?.hash === toldTo(desk, node)?.hash).length,
    of: told.length + goneOf(desk, new Set(live.map(({ node }) => node))),
  };
};

/** Who was told and is heard of no more is waited for: it may be gone for what it was to serve. */
const goneOf = (desk: Desk, live: ReadonlySet<string>): number => {
  const all = countedOn(desk);
  const gone = all.filter((node) => toldTo(desk, node) !== undefined && !live.has(node)).length;
  // A small change goes out many times a day: that a node dies meanwhile is chance, and no reason to freeze everything.
  // That more than half of them do is not.
  return isDirect(desk.machine.context) && 2 * gone <= all.length ? 0 : gone;
};
