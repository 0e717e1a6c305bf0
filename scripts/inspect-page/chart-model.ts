import type { AnyStateMachine, StateNode } from "xstate";

/** A machine's states and arrows, as they are drawn. Computed from the definition, nothing is named by hand. */
export interface ChartModel {
  readonly root: ChartState;
  readonly edges: ReadonlyArray<ChartEdge>;
}

export interface ChartState {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly isInitial: boolean;
  readonly entry: ReadonlyArray<string>;
  readonly children: ReadonlyArray<ChartState>;
}

/** All transitions from one state to another: one arrow with a line of text for each. */
export interface ChartEdge {
  readonly source: string;
  readonly target: string;
  readonly events: ReadonlyArray<string>;
  /** `event` or `event [guard]`: what is shown when somebody points at the arrow. */
  readonly details: ReadonlyArray<string>;
}

export const chartModelOf = (machine: AnyStateMachine): ChartModel => ({
  root: stateOf(machine.root, true),
  edges: [...edgesOf(machine.root).values()],
});

type Node = StateNode<any, any>;

const stateOf = (node: Node, isInitial: boolean): ChartState => ({
  id: node.id,
  key: node.key,
  type: node.type,
  isInitial,
  entry: node.entry.map(nameOf),
  children: Object.values(node.states).map((child: Node) =>
    stateOf(child, node.type === "parallel" || (node.initial?.target.includes(child) ?? false)),
  ),
});

const edgesOf = (root: Node): Map<string, ChartEdge> => {
  const edges = new Map<string, ChartEdge>();
  const visit = (node: Node): void => {
    for (const transition of [...[...node.transitions.values()].flat(), ...(node.always ?? [])]) {
      for (const target of transition.target ?? []) {
        const key = `${node.id}>${target.id}`;
        const event = eventName(transition.eventType);
        const guard = transition.guard === undefined ? "" : ` [${nameOf(transition.guard)}]`;
        const before = edges.get(key) ?? { events: [], details: [] };
        edges.set(key, {
          source: node.id,
          target: target.id,
          events: [...new Set([...before.events, event])],
          details: [...new Set([...before.details, `${event}${guard}`])],
        });
      }
    }
    Object.values(node.states).forEach(visit);
  };
  visit(root);
  return edges;
};

/** `xstate.after.backoff.buffer.delivery.backingOff` → `after backoff`. */
const eventName = (type: string): string =>
  type === "" ? "always" : type.replace(/^xstate\.after\.([^.]+)\..*$/, "after $1");

const nameOf = (named: unknown): string =>
  typeof named === "string" ? named : ((named as { readonly type?: string }).type ?? "inline");
