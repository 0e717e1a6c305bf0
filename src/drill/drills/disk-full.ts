import { Effect } from "effect";
import type { Drill, Stage } from "../drill.ts";
import { always, detectsWithin, recoversWithin } from "./bars.ts";
import { riseOf, wasUsed } from "./evidence.ts";

/** The owner is held up, so that nobody reads what comes in, until the log's share of the disk is full. */
export const diskFull: Drill = {
  name: "disk-full",
  summary: "Nobody reads the log until its share of the disk is full: the door must refuse before anything is lost",
  phases: [
    { name: "baseline", kind: "baseline", seconds: 5, about: "the owner reads what comes in" },
    { name: "full", kind: "fault", seconds: 14, about: "the owner is stopped; producers go on" },
    { name: "recovery", kind: "recovery", seconds: 8, about: "the owner goes on" },
  ],
  plan: () => ({
    // A quarter may be unread; the rest keeps what was read and is not delivered yet, when producers come back at once.
    limits: { logBytesMax: 16_777_216, unscannedPercentMax: 25, retentionSecondsMin: 5 },
    partitions: 1,
    nodes: [["owner", "control"], ["forwarder"]],
  }),
  embeddedOnly: "it stops a process, which it does to its own only.",
  // With six customers, the quarter is full after eight seconds: nobody can notice anything before.
  traffic: { recordsPerSecond: 60, recordBytes: 2_200 },
  // The owner is everybody's.
  faulted: (customers) => customers,
  enter: (phase, stage) => {
    if (phase.kind === "fault") return ownerOf(stage)?.pause ?? Effect.void;
    return phase.kind === "recovery" ? (ownerOf(stage)?.resume ?? Effect.void) : Effect.void;
  },
  noticed: (sample, baseline) =>
    sample.requestsRefused > (baseline?.requestsRefused ?? 0) ? "requests are refused" : undefined,
  guards: [{ name: "admission", stops: "records that would push unread ones out of the log" }],
  exercises: [
    {
      limit: "unscannedPercentMax",
      seen: "records refused because unread ones fill the log",
      isReached: ({ samples }) => riseOf(samples, "spillway_ingest_refused_records_total", 'reason="log-full"') > 0,
    },
    {
      limit: "logBytesMax",
      seen: "a log as large as it may be",
      isReached: (evidence) => wasUsed(evidence, "logBytesMax", 90),
    },
  ],
  bars: [
    // Nobody is steady here.
    ...always.filter(({ figure }) => figure !== "steadyLost"),
    {
      figure: "requestsRefused",
      relation: "atLeast",
      bound: 1,
      about: "producers are told, with 503, and may send again",
    },
    recoversWithin(15),
    detectsWithin(10),
  ],
};

const ownerOf = ({ world }: Stage) => world.nodes[0]?.process;
