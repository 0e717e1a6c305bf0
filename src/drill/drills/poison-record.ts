import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import type { Sample } from "../record/sample.ts";
import { always, briskRetries, detectsWithin, lagStays, recoversWithin } from "./bars.ts";

/** One record that its destination answers with 400, and every batch that holds it. */
export const poisonRecord: Drill = {
  name: "poison-record",
  summary: "A destination refuses one record with 400: it becomes a dead letter, and all the others are delivered",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 6, about: "every destination takes everything" },
    { name: "poison", kind: "fault", seconds: 12, about: "one destination answers 400 to every batch with one record" },
    { name: "recovery", kind: "recovery", seconds: 6, about: "every destination takes everything again" },
  ],
  plan: () => ({
    limits: briskRetries,
    partitions: 4,
    nodes: [["forwarder", "owner", "control"]],
  }),
  embeddedOnly: undefined,
  traffic: { recordsPerSecond: 50, recordBytes: 500 },
  faulted: (customers) => customers.slice(0, 1),
  enter: (phase, { behave, faulted }) => {
    if (phase.kind === "fault") return behave(faulted, { kind: "poisoned", status: 400 });
    return phase.kind === "recovery" ? behave(faulted, { kind: "well" }) : Effect.void;
  },
  noticed: (sample, baseline) =>
    deadLetters(sample) > (baseline === undefined ? 0 : deadLetters(baseline))
      ? "a dead letter is in the books"
      : undefined,
  guards: [],
  exercises: [],
  bars: [
    ...always,
    { figure: "deadLettered", relation: "atLeast", bound: 1, about: "the poisoned record is kept as a dead letter" },
    { figure: "deadLettered", relation: "atMost", bound: 1, about: "and no other record with it" },
    { figure: "configuredLost", relation: "atMost", bound: 1, about: "all the others are delivered" },
    lagStays,
    recoversWithin(15),
    // Every batch of its is refused until the record is found.
    detectsWithin(8),
  ],
};

const deadLetters = ({ metrics }: Sample): number =>
  metricSum(metrics, "spillway_books_records", 'account="deadLettered"');
