import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import type { Figures } from "../record/figures.ts";
import {
  configBars,
  configDrill,
  generatorFault,
  goBack,
  openDoorFault,
  refusedBy,
  sendStrangers,
} from "./config-drill.ts";

/**
 * The 14th of November 2024, step by step: a generator has a fault that nobody knows of; a new dataset makes it emit an
 * empty configuration; the dataset is taken back; now everybody is a customer, forty times as many as there are buffers
 * for, and forwarders send everything for everybody.
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
      about: "every customer sends the same, and 40 times as many strangers; the generator has a fault that sleeps",
    },
    {
      name: "empty",
      kind: "fault",
      seconds: 8,
      about: "a new dataset is added: the generator emits an empty configuration",
    },
    {
      name: "everything",
      kind: "fault",
      seconds: 9,
      about: "it is reverted: everybody is a customer, and forwarders let everybody in",
    },
    { name: "recovery", kind: "recovery", seconds: 9, about: "the faults are mended, what was before is brought back" },
  ],
  enter: (phase, stage) => {
    const { arm, disarm, newDataset } = stage;
    switch (phase.name) {
      case "baseline":
        return Effect.andThen(sendStrangers(stage), arm("generator.emptyOnNewDataset"));
      case "empty":
        // Where the files of datasets are not ours, the fault does without its cause.
        return Effect.flatMap(newDataset(true), (isOurs) => (isOurs ? Effect.void : arm("generator.empty")));
      case "everything": {
        const everything = Effect.andThen(arm("generator.everything"), arm("forwarder.failsOpen"));
        // Mended before its dataset is gone, the generator would roll that out, as it should.
        return Effect.flatMap(newDataset(false), (isOurs) =>
          isOurs ? everything : Effect.andThen(disarm, everything),
        );
      }
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
  exercises: [refusedBy("addedPercentMax", "added", "a configuration with 40 times as many jobs, refused for that")],
  bars: configBars(10),
  compared: ({ configuredLost, configuredLostPercent, lostByPhase, seconds }: Figures) => {
    const parts = lostByPhase.map(({ percent, phase, seconds: long }) => `${percent} % in ${phase} (${long} s)`);
    const day = "On 14 November 2024 it was 55 % of 3.5 hours";
    if (configuredLost === 0) return `${day}; here it is nothing of ${seconds} s.`;
    return (
      `${day}; here it is ${configuredLostPercent} % of ${seconds} s: ${parts.join(", ")}. It differs because a share of ` +
      "the whole is a matter of how long each phase lasts: there the buffers were down for hours after five minutes " +
      "without a configuration; here phases are seconds, a surge ends by itself, and nobody has to reset anything."
    );
  },
};
