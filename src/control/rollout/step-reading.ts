import { canaryOf, isAtCanaryOnly } from "./canary.ts";
import type { Desk } from "./desk.ts";
import { reading } from "./readings.ts";

/** Nodes report once a second: of one that was named, what it said before it fell silent is no news. */
const namedSilentMillisMax = 2_500;

/**
 * How it goes where the rollout under way has arrived: on the nodes that were named, with all of their customers, and
 * everywhere else with the share that this step gives. Either may speak against it.
 *
 * @returns undefined when too few say anything
 */
export const stepReading = (desk: Desk, steady: number): ReturnType<typeof reading> => {
  const live = desk.reports.live(steady);
  const number = desk.state.published?.number ?? 0;
  const canary = canaryOf(desk);
  if (canary === undefined) return reading(live, number);
  const recent = desk.reports.live(steady, namedSilentMillisMax);
  const named = recent.filter(({ node, signals }) => canary.nodes.includes(node) && signals?.number === canary.number);
  // Each of them: one that has fallen silent may have done so for what it serves.
  if (named.length < canary.nodes.length) return undefined;
  const ahead = reading(named, canary.number);
  if (typeof ahead?.breached === "string") return { breached: `on ${canary.nodes.join(", ")}: ${ahead.breached}` };
  const others = live.filter(({ node }) => !canary.nodes.includes(node));
  return isAtCanaryOnly(desk) || others.length === 0 ? ahead : reading(others, number);
};
