import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { always, buffersWithinLimit, detectsWithin, lagStays, nothingLost, recoversWithin } from "./bars.ts";
import { configDrill, strangersPerCustomer } from "./config-drill.ts";
import { wasUsed } from "./evidence.ts";

/** Each of them sends a little: it is their number that counts. */
const recordsPerStranger = 2;

/**
 * The wave that no gate stops, for a person has ordered it: forty times as many push jobs, with room in the
 * configuration and not in memory. The last line of defence has to hold by itself.
 */
export const bufferWave: Drill = {
  ...configDrill,
  name: "buffer-wave",
  summary: "A person orders 40 times as many push jobs, and accepts it: there are places for 6 times as many buffers",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 8, about: "every customer sends the same" },
    { name: "order", kind: "fault", seconds: 1, about: "40 times as many push jobs are ordered, and accepted" },
    { name: "wave", kind: "fault", seconds: 12, about: "their customers send" },
    { name: "recovery", kind: "recovery", seconds: 8, about: "they send no more, and their push jobs are removed" },
  ],
  enter: (phase, { customers, orderForStrangers, strangers, withdrawFromStrangers }) => {
    const count = strangersPerCustomer * customers.length;
    switch (phase.name) {
      case "order":
        return orderForStrangers(count);
      case "wave":
        return strangers(count, recordsPerStranger * count);
      case "recovery":
        return Effect.andThen(strangers(count, 0), withdrawFromStrangers);
      default:
        return Effect.void;
    }
  },
  faults: [
    {
      name: "wave",
      phase: "wave",
      alerts: ["admissionNotOpen", "limitNear"],
      noticed: ({ admission }, baseline) =>
        admission > (baseline?.admission ?? 0) ? "admission is not open" : undefined,
    },
  ],
  guards: [
    { name: "admission", stops: "newcomers beyond their share, at the door" },
    { name: "bufferLimit", stops: "buffers beyond what memory is made for" },
  ],
  exercises: [
    {
      limit: "residentBuffersMax",
      seen: "as many buffers as there are places",
      isReached: (evidence) => wasUsed(evidence, "residentBuffersMax", 95),
    },
  ],
  bars: [
    ...always,
    nothingLost,
    lagStays,
    recoversWithin(15),
    detectsWithin(5),
    buffersWithinLimit,
    {
      figure: "strangersDelivered",
      relation: "atLeast",
      bound: 1,
      about: "newcomers are served as far as there is room: they are customers as well",
    },
  ],
};
