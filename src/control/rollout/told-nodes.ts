import { Effect } from "effect";
import type { RolloutContext } from "../../actors/rollout/machine.ts";
import { steadyMillis } from "../../domain/steady-clock.ts";
import type { NodeReport } from "../../streams/config-messages.ts";
import { canaryOf, isAtCanaryOnly, toldTo } from "./canary.ts";
import type { ToldNodes } from "./control-state.ts";
import { type Desk, saveDesk } from "./desk.ts";
import { newsMillisMax } from "./node-reports.ts";

const nobody = { nodes: [], added: 0, addedAhead: 0 } as const;

export const toldNodes = ({ machine, state: { told } }: Desk): Omit<ToldNodes, "target"> =>
  told != null && told.target === machine.context.target?.number ? told : nobody;

/** The nodes of which something must be heard. */
export const countedOn = (desk: Desk): ReadonlyArray<string> => [
  ...new Set([...toldNodes(desk).nodes, ...(canaryOf(desk)?.nodes ?? [])]),
];

/** It goes to everybody at once, and nobody watches. */
export const isDirect = ({ base, small, steps }: RolloutContext): boolean =>
  base === null || small || steps.length === 1;

/** Records go through it: a node that only controls may come and go. */
const carries = ({ roles }: NodeReport): boolean =>
  roles === undefined || roles.includes("owner") || roles.includes("forwarder");

/** To be called before nodes are told of a step. */
export const noteTold = Effect.fnUntraced(function* (
  desk: Desk,
  { added = 0, addedAhead = 0 }: { readonly added?: number | undefined; readonly addedAhead?: number | undefined },
) {
  const steady = yield* steadyMillis;
  const { canaryNodes, target } = desk.machine.context;
  const recent = desk.reports.live(steady, newsMillisMax).filter(carries);
  const now = isAtCanaryOnly(desk) ? [] : recent.map(({ node }) => node);
  const nodes = [...new Set([...toldNodes(desk).nodes, ...canaryNodes, ...now])].toSorted();
  desk.state = { ...desk.state, told: { target: target!.number, nodes, added, addedAhead } };
  yield* saveDesk(desk);
});

/** Who has come since and says how it goes is counted on as well, from now on. Stored with what happens next. */
export const countOnNew = (desk: Desk, steady: number): void => {
  const { told } = desk.state;
  if (told == null || told.target !== desk.machine.context.target?.number) return;
  const recent = desk.reports.live(steady, newsMillisMax).filter(carries);
  const telling = recent.filter(
    ({ node, signals }) => signals !== null && signals.number === toldTo(desk, node)?.number,
  );
  const nodes = [...new Set([...told.nodes, ...telling.map(({ node }) => node)])].toSorted();
  desk.state = { ...desk.state, told: { ...told, nodes } };
};

/** Who ends as it was told to is not silent. But the named nodes are there for something to be seen on them. */
export const dismissLeft = Effect.fnUntraced(function* (desk: Desk) {
  const { told } = desk.state;
  const { canaryNodes } = desk.machine.context;
  const stays = (node: string) => canaryNodes.includes(node) || !desk.reports.hasLeft(node);
  if (told == null || desk.machine.value === "idle" || told.nodes.every(stays)) return;
  desk.state = { ...desk.state, told: { ...told, nodes: told.nodes.filter(stays) } };
  // Stored: it may be back, and knows nothing of how it was before, when another process leads.
  yield* saveDesk(desk);
});

/** Of those that were told, who says nothing of how it goes with what it is to serve. */
export const silentNodes = (desk: Desk, steady: number): ReadonlyArray<string> => {
  const recent = new Map(desk.reports.live(steady, newsMillisMax).map((report) => [report.node, report]));
  return countedOn(desk).filter((node) => {
    const to = toldTo(desk, node);
    return to !== undefined && recent.get(node)?.signals?.number !== to.number;
  });
};
