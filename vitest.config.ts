import { defineConfig } from "vitest/config";

/** What measures how soon an answer comes: not beside others. */
const latency = ["test/integration/control-thread.test.ts"];
/** Whole clusters under traffic, with bars on how late it comes. */
const drills = ["test/integration/drill*.test.ts"];

const integration = (name: string, groupOrder: number, include: Array<string>, exclude: Array<string> = []) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: [...exclude, "node_modules/**"],
    globalSetup: ["test/support/nats-binary.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One group after the other, the unit tests first.
    sequence: { groupOrder },
  },
});

export default defineConfig({
  test: {
    // One process per file: a test may kill children, change env and leak sockets without touching its neighbours.
    pool: "forks",
    // One more than the cores that it is made for: tests of real processes wait for fsync and timers half of the time.
    maxWorkers: Number(process.env["TEST_WORKERS"] ?? 3),
    reporters: ["default", "./test/support/closing-line.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/integration/**", "node_modules/**"],
          testTimeout: 60_000,
        },
      },
      integration("integration", 1, ["test/integration/**/*.test.ts"], [...latency, ...drills]),
      integration("latency", 2, latency),
      integration("drills", 3, drills),
    ],
  },
});
