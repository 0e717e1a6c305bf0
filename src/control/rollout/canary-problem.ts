import { Effect } from "effect";
import { verdictOn } from "./deeds.ts";
import type { Desk } from "./desk.ts";
import type { Proposal } from "./proposal.ts";

/**
 * Why a proposal cannot go to these nodes first, for people; undefined: it can.
 *
 * @param steady the steady clock's time: only who has reported lately is alive
 */
export const canaryProblem = Effect.fn("control.canaryProblem")(function* (
  desk: Desk,
  proposal: Proposal,
  names: ReadonlyArray<string>,
  steady: number,
) {
  const { published } = desk.state;
  if (published === null)
    return "No configuration is in force yet that the other nodes could serve meanwhile: leave --canary-nodes out.";
  const live = desk.reports.live(steady);
  const alive = live.map(({ node }) => node).toSorted();
  for (const name of names) {
    const report = live.find(({ node }) => node === name);
    if (report === undefined) return `No node ${name} has reported lately. These have: ${alive.join(", ") || "none"}.`;
    if (report.serves?.hash !== published.hash) {
      const why = report.refused === null ? "" : `: it refuses ${report.refused.number} (${report.refused.rule})`;
      return `The node ${name} does not serve what is in force${why}. Nothing could be compared on it.`;
    }
  }
  if (alive.every((name) => names.includes(name)))
    return "These are all the nodes that are alive: a canary is some of them. Name fewer, or none.";
  const { added, enabled, restored } = (yield* verdictOn(desk, proposal, null)).radius.jobs;
  // A forwarder among them would take records of a new pair, and an owner that has no such job yet would pass them by.
  if (added + enabled + restored > 0)
    return (
      `It brings ${added + enabled + restored} jobs that the other nodes would not know meanwhile: what a named node took ` +
      "for them could not be delivered by another one. Leave --canary-nodes out: a share of the customers goes first."
    );
  return undefined;
});
