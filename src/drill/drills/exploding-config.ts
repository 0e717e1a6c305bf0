import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { configBars, configDrill, generatorFault, goBack, refusedBy, sendStrangers } from "./config-drill.ts";

/** The second half of 14 November: a push job for everybody who ever sent something. */
export const explodingConfig: Drill = {
  ...configDrill,
  name: "exploding-config",
  summary: "The generator emits a configuration with 40 times as many push jobs",
  phases: [
    {
      name: "baseline",
      kind: "baseline",
      seconds: 8,
      about: "every customer sends the same, and 40 times as many strangers",
    },
    { name: "everything", kind: "fault", seconds: 9, about: "everybody is a customer" },
    { name: "recovery", kind: "recovery", seconds: 8, about: "the generator is mended" },
  ],
  enter: (phase, stage) => {
    if (phase.kind === "fault") return stage.arm("generator.everything");
    return phase.kind === "recovery" ? Effect.andThen(stage.disarm, goBack(stage)) : sendStrangers(stage);
  },
  faults: [generatorFault("generator.everything", "everything")],
  guards: [
    { name: "controlGate", stops: "40 times as many jobs before any node hears of them" },
    { name: "rollout", stops: "what passed the gate from reaching everybody at once" },
    { name: "admission", stops: "the wave of new customers from taking the node" },
    { name: "bufferLimit", stops: "buffers beyond what memory is made for" },
  ],
  exercises: [refusedBy("addedPercentMax", "added", "a configuration with 40 times as many jobs, refused for that")],
  bars: configBars(10),
};
