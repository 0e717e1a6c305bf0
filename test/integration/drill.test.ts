import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { runSpillway } from "../cli/run-spillway.ts";
import { drillDirectory, drillRun, figuresIn } from "../support/drill-command.ts";
import { freePort, killHard, startSpillway } from "../support/spillway-process.ts";

describe("spillway drill run", () => {
  it.live(
    "slow-destinations: half of the destinations do not answer, and the others do not notice",
    () =>
      Effect.gen(function* () {
        const directory = yield* drillDirectory;
        const report = join(directory, "report");
        const args = ["slow-destinations", "--customers", "8", "--seconds-per-phase", "6", "--report", report];
        const ran = yield* drillRun(directory, args);
        assert.strictEqual(ran.code, 0, ran.stderr);
        const figures = figuresIn(ran.stdout);
        assert.deepInclude(figures, {
          drill: "slow-destinations",
          world: "embedded",
          customers: 8,
          configuredLost: 0,
          configuredLostPercent: 0,
          acknowledgedLost: 0,
          unexplained: 0,
          misdelivered: 0,
          restarts: 0,
          barsMissed: [],
        });
        // 8 customers, 50 records a second each, for 18 s: if the producers were the bottleneck, nothing was shown.
        assert.isAbove(figures["configuredOffered"], 8 * 50 * 18 * 0.9);
        assert.isAtMost(figures["p99LagRatio"], 1.5);
        assert.isAtMost(figures["detectSeconds"], 5);
        assert.isAtMost(figures["recoverSeconds"], 15);
        assert.strictEqual(figures["buffersMax"], 8);
        assert.include(figures["limitsExercised"], "circuitFailuresMax");

        const page = yield* Effect.promise(() => readFile(join(report, "report.html"), "utf8"));
        assert.match(page, /data-verdict>passed</);
        const json = JSON.parse(yield* Effect.promise(() => readFile(join(report, "report.json"), "utf8")));
        const [{ timeline }] = json.runs;
        assert.deepStrictEqual(
          [...new Set(timeline.map(({ phase }: { phase: string }) => phase))],
          ["warm-up", "baseline", "slow", "recovery"],
        );
        // The fault is to be seen: about half as much is delivered as is offered.
        const slow = timeline.filter(({ phase }: { phase: string }) => phase === "slow").slice(2, -1);
        for (const { deliveredPerSecond } of slow) assert.isBelow(deliveredPerSecond, 8 * 50 * 0.8);
        const left = yield* Effect.promise(() => readdir(directory));
        assert.deepStrictEqual(
          left.filter((name) => name !== "node-compile-cache"),
          ["report"],
        );
      }),
    120_000,
  );

  it.live(
    "against a running drill target: its push jobs are gone afterwards, and the marks of limits stay",
    () =>
      Effect.gen(function* () {
        const directory = yield* drillDirectory;
        const url = yield* startTarget(directory);
        const args = ["slow-destinations", "--customers", "4", "--seconds-per-phase", "9", "--target", url];
        const ran = yield* drillRun(directory, args);
        const figures = figuresIn(ran.stdout);
        assert.strictEqual(ran.code, 0, ran.stderr);
        assert.deepInclude(figures, { world: "target", configuredLost: 0, unexplained: 0, problems: [] });
        const get = (path: string) => Effect.promise(async () => (await (await fetch(`${url}${path}`)).json()) as any);
        assert.deepStrictEqual((yield* get("/v1/jobs")).jobs, []);
        assert.deepInclude(yield* get("/healthz"), { status: "ok", drill: true, faults: [], guardsOff: [] });
        // The view of limits reads the marks every few seconds.
        const deadline = performance.now() + 20_000;
        for (;;) {
          const { limits } = yield* get("/v1/limits");
          const circuit = limits.find(({ name }: { name: string }) => name === "circuitFailuresMax");
          if (circuit.exercised?.drill === "slow-destinations") break;
          assert.isBelow(performance.now(), deadline, JSON.stringify(circuit));
          yield* Effect.sleep(200);
        }
      }),
    120_000,
  );

  it.live(
    "14 November on a running cluster: its configuration is what it was before, and so are its records",
    () =>
      Effect.gen(function* () {
        const directory = yield* drillDirectory;
        const url = yield* startTarget(directory);
        const args = ["nov14", "--customers", "4", "--seconds-per-phase", "6", "--target", url];
        const ran = yield* drillRun(directory, args);
        const figures = figuresIn(ran.stdout);
        assert.deepStrictEqual(figures["barsMissed"], [], ran.stderr);
        assert.strictEqual(ran.code, 0, ran.stderr);
        assert.deepInclude(figures, { world: "target", configuredLost: 0, unexplained: 0, strangersStored: 0 });
        const get = (path: string) => Effect.promise(async () => (await (await fetch(`${url}${path}`)).json()) as any);
        assert.deepStrictEqual((yield* get("/v1/jobs")).jobs, []);
        const { frozen, inForce, pending, refusal, rollout } = yield* get("/v1/config/status");
        assert.deepInclude({ frozen, pending, refusal }, { frozen: null, pending: 0, refusal: null });
        assert.deepInclude(inForce, { enabled: 0 });
        assert.strictEqual(rollout.state, "idle");
        assert.deepInclude(yield* get("/healthz"), { faults: [], guardsOff: [] });
      }),
    180_000,
  );

  it.live(
    "Ctrl-C ends everything that it started, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const directory = yield* drillDirectory;
        const ran = yield* runSpillway(["drill", "run", "exploding-config", "--customers", "4"], {
          env: { NATS_SERVER: inject("natsServer"), TMPDIR: directory },
          interruptWhenSaid: /phase baseline/,
        });
        assert.strictEqual(ran.code, 130, ran.stderr);
        assert.notMatch(ran.stderr, /phase everything/);
        const left = yield* Effect.promise(() => readdir(directory));
        assert.deepStrictEqual(
          left.filter((name) => name !== "node-compile-cache"),
          [],
        );
        assert.deepStrictEqual(yield* processesOf(directory), []);
      }),
    90_000,
  );
});

/** Command lines of processes that were started with something in this directory. */
const processesOf = (directory: string) =>
  Effect.promise(async () => {
    const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    return lines.filter((line) => line.includes(directory)).map((line) => line.replaceAll("\0", " "));
  });

/** A node that somebody else runs, in drill mode. Answers its data address. */
const startTarget = Effect.fnUntraced(function* (directory: string) {
  const config = join(directory, "target.json");
  const limits = { retryMillisMax: 2_000, circuitOpenMillisFirst: 500, circuitOpenMillisMax: 2_000 };
  const jobs = join(directory, "jobs.json");
  const port = yield* Effect.promise(async () => {
    await writeFile(config, JSON.stringify({ partitions: 2, limits }));
    await writeFile(jobs, JSON.stringify({ jobs: [] }));
    return freePort();
  });
  const data = join(directory, "data");
  const node = yield* Effect.acquireRelease(
    Effect.promise(() =>
      startSpillway({
        data,
        jobs,
        port,
        nats: inject("natsServer"),
        flags: ["--config", config],
        env: { SPILLWAY_DRILL: "true" },
      }),
    ),
    ({ child, exited, natsPid }) =>
      Effect.promise(async () => {
        const nats = natsPid();
        killHard(child.pid!);
        await exited;
        killHard(nats);
      }),
  );
  return node.url;
});
