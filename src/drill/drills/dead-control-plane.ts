import { Effect } from "effect";
import type { Drill, Stage } from "../drill.ts";
import {
  always,
  briskRetries,
  changeLiveWithin,
  detectsWithin,
  lagStays,
  nothingLost,
  recoversWithin,
} from "./bars.ts";

/** The only control process is held up, so that nobody leads the configuration; somebody changes a push job. */
export const deadControlPlane: Drill = {
  name: "dead-control-plane",
  summary:
    "Nobody leads the configuration: deliveries go on, and a job changed meanwhile is in force when somebody does",
  phases: [
    {
      name: "baseline",
      kind: "baseline",
      seconds: 6,
      about: "one node leads the configuration, another has the traffic",
    },
    { name: "dead", kind: "fault", seconds: 10, about: "the leading node is stopped, and a push job is changed" },
    { name: "recovery", kind: "recovery", seconds: 8, about: "the leading node goes on" },
  ],
  plan: () => ({
    limits: briskRetries,
    // Whoever leads is asked every two seconds.
    alerts: { snapshotStale: { threshold: 2.5 } },
    partitions: 4,
    nodes: [["control"], ["forwarder", "owner"]],
  }),
  embeddedOnly: "it stops a process, which it does to its own only.",
  traffic: { recordsPerSecond: 50, recordBytes: 500 },
  faulted: () => [],
  enter: (phase, stage) => {
    const leader = leaderOf(stage);
    if (leader === undefined || phase.kind === "baseline") return Effect.void;
    return phase.kind === "recovery" ? leader.resume : Effect.andThen(leader.pause, stage.moveJob(stage.customers[0]!));
  },
  // The silence of the node that is stopped is for the drill to see: others must say so of themselves.
  noticed: () => undefined,
  guards: [],
  exercises: [],
  bars: [...always, nothingLost, lagStays, recoversWithin(5), detectsWithin(5), changeLiveWithin(5)],
};

const leaderOf = ({ world }: Stage) => world.nodes[0]?.process;
