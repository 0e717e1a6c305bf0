import type { Desk } from "./desk.ts";

/**
 * How many of the nodes that are told to serve something else serve it: what a step waits for.
 *
 * @param steady the steady clock's time: who has been silent for long is not waited for
 */
export const adoptionOf = (desk: Desk, steady: number): { readonly nodes: number; readonly of: number } => {
  const live = desk.reports.live(steady);
  const hash = desk.state.published?.hash;
  return { nodes: live.filter(({ serves }) => serves !== null && serves.hash === hash).length, of: live.length };
};
