import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Each test file is a process, and compiling Effect is a fifth of what a small one costs.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/node-compile", import.meta.url));

/** What measures how soon an answer comes: not beside others. */
const latency = ["test/integration/{control-thread,live-in-two-seconds}.test.ts"];
/** Whole clusters under traffic, judged by how late records come: one after the other, see `test:drills`. */
const drills = [
  "test/integration/drill.test.ts",
  "test/integration/drill-{corrupt-snapshot,dead-control-plane,every,nov14}.test.ts",
];
/** A minute or more each: clusters under traffic, processes that are killed again and again, stores that are silent. */
const long = [
  "test/integration/config-watch-node.test.ts",
  "test/integration/kill.test.ts",
  "test/integration/start-without-stores.test.ts",
  "test/integration/streams-expiry.test.ts",
];
/** That simulations can fail: nothing but computing, which those of real processes had better not have beside them. */
const mutants = ["test/simulation/{config,skew}-mutants.test.ts"];

/**
 * Ends no process, changes no environment, leaves nothing open: these files take turns in a few processes, for a second
 * of imports each is most of what they take. But not what counts what its whole process has counted, nor what tests
 * locks.
 */
const logic = [
  "test/{actors,api,control,destinations,domain,drill,node,observability,serving,snapshot}/**/*.test.ts",
  "test/forwarder/!(ingest-metrics).test.ts",
  "test/streams/*.test.ts",
];

const integration = (name: string, groupOrder: number, include: Array<string>, exclude: Array<string> = []) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: [...exclude, "node_modules/**"],
    globalSetup: ["test/support/nats-binary.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One group after the other, the unit tests first.
    sequence: { groupOrder },
  },
});

export default defineConfig({
  test: {
    // Else one process per file: a test may kill children, change env and leak sockets without touching its neighbours.
    pool: "forks",
    // One more than the cores that it is made for: tests of real processes wait for fsync and timers half of the time.
    maxWorkers: Number(process.env["TEST_WORKERS"] ?? 3),
    reporters: ["default", "./test/support/closing-line.ts"],
    projects: [
      {
        extends: true,
        test: { name: "logic", include: logic, isolate: false, testTimeout: 120_000 },
      },
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/integration/**", ...mutants, ...logic, "node_modules/**"],
          testTimeout: 120_000,
        },
      },
      integration("integration", 1, ["test/integration/**/*.test.ts"], [...latency, ...long, ...drills]),
      integration("latency", 2, latency),
      integration("long", 3, long),
      integration("mutants", 4, mutants),
      integration("drills", 5, drills),
    ],
  },
});
