import { Effect } from "effect";
import type { Drill, Stage } from "../drill.ts";
import { configBars, configDrill, generatorFault, goBack, refusedBy } from "./config-drill.ts";

/**
 * The first half of 14 November, in both of its forms: emptied by somebody who removes what they should not have, and
 * emptied by a generator, which nobody ordered.
 */
export const emptyConfig: Drill = {
  ...configDrill,
  name: "empty-config",
  summary: "Somebody removes half of the push jobs; then the generator emits a configuration with none in it",
  // Few customers are a small change, which goes past the thresholds on purpose: here they are meant to meet them.
  plan: (customers) => {
    const plan = configDrill.plan(customers);
    return { ...plan, limits: { ...plan.limits, smallChangeJobsMax: 1 } };
  },
  phases: [
    { name: "baseline", kind: "baseline", seconds: 8, about: "every customer sends the same" },
    { name: "removed", kind: "fault", seconds: 6, about: "somebody removes half of the push jobs" },
    { name: "restored", kind: "fault", seconds: 1, about: "they are put back, in steps like any change" },
    { name: "empty", kind: "fault", seconds: 7, about: "the generator emits an empty configuration" },
    { name: "recovery", kind: "recovery", seconds: 6, about: "the generator is mended" },
  ],
  enter: (phase, stage) => {
    switch (phase.name) {
      case "removed":
        return stage.removeJobs(halfOf(stage));
      case "restored":
        return stage.restoreJobs(halfOf(stage));
      case "empty":
        return stage.arm("generator.empty");
      case "recovery":
        return Effect.andThen(stage.disarm, goBack(stage));
      default:
        return Effect.void;
    }
  },
  faults: [generatorFault("jobs.removed", "removed"), generatorFault("generator.empty", "empty")],
  guards: [
    { name: "controlGate", stops: "an empty configuration, and a halved one, before any node hears of it" },
    { name: "rollout", stops: "what passed the gate from reaching everybody at once" },
    { name: "servingGate", stops: "an empty configuration on each node" },
    { name: "removalGrace", stops: "records from being dropped while a job is missing" },
  ],
  exercises: [
    refusedBy("removedPercentMax", "removed", "a configuration without half of the push jobs, refused for that"),
  ],
  bars: configBars(5),
};

const halfOf = ({ customers }: Stage): ReadonlyArray<string> => customers.slice(0, Math.ceil(customers.length / 2));
