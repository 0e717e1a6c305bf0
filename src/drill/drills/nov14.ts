import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { configBars, configDrill, generatorFault, goBack, openDoorFault, sendStrangers } from "./config-drill.ts";
import { mostOf } from "./evidence.ts";

/**
 * The 14th of November 2024, step by step: a new dataset makes the generator emit an empty configuration; it is
 * reverted; the revert makes everybody a customer, forty times as many as there are buffers for, and forwarders send
 * everything for everybody.
 */
export const nov14: Drill = {
  ...configDrill,
  name: "nov14",
  summary: "The incident of 14 November 2024: an empty configuration, then everybody's logs, 40 times the buffers",
  phases: [
    {
      name: "baseline",
      kind: "baseline",
      seconds: 9,
      about: "every customer sends the same, and 40 times as many strangers",
    },
    { name: "empty", kind: "fault", seconds: 8, about: "the generator emits an empty configuration" },
    {
      name: "everything",
      kind: "fault",
      seconds: 9,
      about: "it is reverted; everybody is a customer, and forwarders let everybody in",
    },
    { name: "recovery", kind: "recovery", seconds: 9, about: "the generator is mended" },
  ],
  enter: (phase, stage) => {
    const { arm, disarm } = stage;
    switch (phase.name) {
      case "baseline":
        return sendStrangers(stage);
      case "empty":
        return arm("generator.empty");
      case "everything":
        return disarm.pipe(Effect.andThen(arm("generator.everything")), Effect.andThen(arm("forwarder.failsOpen")));
      default:
        return Effect.andThen(disarm, goBack(stage));
    }
  },
  faults: [
    generatorFault("generator.empty", "empty"),
    generatorFault("generator.everything", "everything"),
    openDoorFault("everything"),
  ],
  guards: [
    {
      name: "controlGate",
      stops: "an empty configuration, and one with 40 times as many jobs, before any node hears of it",
    },
    { name: "rollout", stops: "what passed the gate from reaching everybody at once" },
    { name: "servingGate", stops: "an empty configuration on each node" },
    { name: "outboxGate", stops: "records from the log that forwarders let in for nobody" },
    { name: "removalGrace", stops: "records from being dropped while a job is missing" },
    { name: "admission", stops: "the wave of new customers from taking the node" },
    { name: "bufferLimit", stops: "buffers beyond what memory is made for" },
  ],
  exercises: [
    {
      limit: "removedPercentMax",
      seen: "a configuration that would stop everybody, refused",
      isReached: ({ samples }) => mostOf(samples, "spillway_config_rollouts_total", 'result="refused"') > 0,
    },
    {
      limit: "addedPercentMax",
      seen: "a configuration with 40 times as many jobs, refused",
      isReached: ({ samples }) => mostOf(samples, "spillway_config_rollouts_total", 'result="refused"') > 1,
    },
  ],
  bars: configBars(10),
};
