import { defineConfig } from "vitest/config";

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
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: ["test/support/nats-binary.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // After the unit tests.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
