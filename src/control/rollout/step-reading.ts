import type { NodeReport } from "../../streams/config-messages.ts";
import { canaryOf, isAtCanaryOnly } from "./canary.ts";
import type { Desk } from "./desk.ts";
import { reading } from "./readings.ts";
import { silentNodes, toldNodes } from "./told-nodes.ts";

/**
 * How it goes where the rollout under way has arrived: on the nodes that were named, with all of their customers, and
 * everywhere else with the share that this step gives. Either may speak against it.
 *
 * @returns undefined when not everybody who was told says how it goes: one that has fallen silent may have done so for
 *   what it serves, and the others know nothing of what it had
 */
export const stepReading = (desk: Desk, steady: number): ReturnType<typeof reading> => {
  if (silentNodes(desk, steady).length > 0) return undefined;
  const { added, addedAhead } = toldNodes(desk);
  const live = desk.reports.live(steady);
  const canary = canaryOf(desk);
  const owners = live.filter((report) => isOwner(report) && canary?.nodes.includes(report.node) !== true);
  const number = desk.state.published?.number ?? 0;
  const facts = { number, added, left: desk.reports.lastSignals(number) };
  // Only owners push: without one, nobody knows how it goes.
  if (canary === undefined) return reading(owners, facts);
  const named = live.filter(({ node }) => canary.nodes.includes(node));
  const ahead = reading(named, { number: canary.number, added: addedAhead });
  if (typeof ahead?.breached === "string") return { breached: `on ${canary.nodes.join(", ")}: ${ahead.breached}` };
  return isAtCanaryOnly(desk) || owners.length === 0 ? ahead : reading(owners, facts);
};

const isOwner = ({ roles }: NodeReport): boolean => roles === undefined || roles.includes("owner");
