import { Effect } from "effect";
import type { Drill } from "../drill.ts";
import { metricSum } from "../record/metrics-text.ts";
import { always, briskRetries, detectsWithin, lagStays, recoversWithin } from "./bars.ts";
import { mostOf, riseOf, wasUsed } from "./evidence.ts";

const factor = 50;
/** Per push: its destination takes less than it sends now. */
const pushMillis = 3_000;

/** One customer sends fifty times as much as before, and its destination cannot take it. */
export const hotCustomer: Drill = {
  name: "hot-customer",
  summary: "One customer sends 50 times as much: only it may be held back, and nobody else notices",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 6, about: "every customer sends the same" },
    { name: "hot", kind: "fault", seconds: 14, about: `one customer sends ${factor} times as much` },
    { name: "recovery", kind: "recovery", seconds: 8, about: "it sends as before, and its destination takes it" },
  ],
  plan: () => ({
    limits: { ...briskRetries, bufferWindowBytesMax: 1_048_576, backlogBytesPerCustomerMax: 1_048_576 },
    partitions: 4,
    nodes: [["forwarder", "owner", "control"]],
  }),
  embeddedOnly: undefined,
  traffic: { recordsPerSecond: 50, recordBytes: 500 },
  faulted: (customers) => customers.slice(0, 1),
  enter: (phase, { behave, faulted, rate }) => {
    if (phase.kind === "fault") {
      return Effect.andThen(rate(faulted, factor), behave(faulted, { kind: "slow", millis: pushMillis }));
    }
    return phase.kind === "recovery"
      ? Effect.andThen(rate(faulted, 1), behave(faulted, { kind: "well" }))
      : Effect.void;
  },
  noticed: ({ metrics }, baseline) =>
    metricSum(metrics, "spillway_customers_over_quota") >
    metricSum(baseline?.metrics ?? new Map(), "spillway_customers_over_quota")
      ? "a customer is over its quota"
      : undefined,
  guards: [{ name: "admission", stops: "the hot customer's records beyond its quota, at the door" }],
  exercises: [
    {
      limit: "backlogBytesPerCustomerMax",
      seen: "a customer over its quota, and its records refused",
      isReached: ({ samples }) =>
        mostOf(samples, "spillway_customers_over_quota") > 0 &&
        riseOf(samples, "spillway_ingest_refused_records_total", 'reason="over-quota"') > 0,
    },
    {
      limit: "bufferWindowBytesMax",
      seen: "a window as large as it may be",
      isReached: (evidence) => wasUsed(evidence, "bufferWindowBytesMax", 90),
    },
  ],
  // It has to fill its quota first.
  bars: [...always, lagStays, recoversWithin(15), detectsWithin(8)],
};
