import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { configBars, configDrill, goBack } from "./config-drill.ts";
import { mostOf } from "./evidence.ts";

/** The first half of 14 November: well-formed, ordered by nobody, and with nothing in it. */
export const emptyConfig: Drill = {
  ...configDrill,
  name: "empty-config",
  summary: "The generator emits a configuration with no push job in it",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 8, about: "every customer sends the same" },
    { name: "empty", kind: "fault", seconds: 8, about: "the generator emits an empty configuration" },
    { name: "recovery", kind: "recovery", seconds: 6, about: "the generator is mended" },
  ],
  enter: (phase, stage) => {
    if (phase.kind === "fault") return stage.arm("generator.empty");
    return phase.kind === "recovery" ? Effect.andThen(stage.disarm, goBack(stage)) : Effect.void;
  },
  guards: [
    { name: "controlGate", stops: "an empty configuration before any node hears of it" },
    { name: "rollout", stops: "what passed the gate from reaching everybody at once" },
    { name: "servingGate", stops: "an empty configuration on each node" },
    { name: "removalGrace", stops: "records from being dropped while a job is missing" },
  ],
  exercises: [
    {
      limit: "removedPercentMax",
      seen: "a configuration that would stop everybody, refused",
      isReached: ({ samples }) => mostOf(samples, "spillway_config_rollouts_total", 'result="refused"') > 0,
    },
  ],
  bars: configBars(5),
};
