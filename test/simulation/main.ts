/**
 * `npm run sim -- --seeds N`: the simulation outside of the test runner, as many seeds as one likes, on every core. A
 * seed that fails is told with the command that replays it.
 */
import { Effect } from "effect";
import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { simulateConfig } from "./config/simulate-config.ts";
import { simulateNode } from "./node/simulate-node.ts";
import { simulatePartition } from "./simulate-partition.ts";
import { simulateSkew } from "./skew/simulate-skew.ts";

const help = `npm run sim -- [options]

Simulates whole nodes and single partitions: real door, admission, reader, sweep, windows, actors, destination hosts,
quotas, retention, checkpoints and recovery; fake clock; destinations, logs and store scripted, with faults drawn from
the seed. Checks I3 to I8, I11 and I12. One seed of eight is a node's, which takes seven times as long; one of
sixteen is of a cluster's configuration (generator, gates, rollouts, last known good; I1, I2, I9), and two are of a
partition whose forwarders and owners are on different snapshots.

  --seeds N    how many (default 1,000)
  --world W    partition, node, config or skew: all seeds are of that one
  --from N     the first one (default 1); a seed is a run: the same one is the same run
  --jobs N     processes (default: one per core)
  --json       one JSON object on stdout; everything for people goes to stderr
  --help       this text

Exit code 1 when a seed fails.
`;

/** What a slice of seeds has come to. */
interface SliceResult {
  readonly failed: ReadonlyArray<{ readonly seed: number; readonly error: string }>;
  readonly ran: number;
}

const slice = process.env["SPILLWAY_SIM_SLICE"];

const worlds = ["partition", "node", "config", "skew", "all"] as const;
type World = (typeof worlds)[number];

/** Sixteen seeds in a row, so that each process gets its share of what takes longer. */
const worldOf = (world: World, seed: number): Exclude<World, "all"> => {
  if (world !== "all") return world;
  const turn = Math.floor(seed / 16) % 16;
  if (turn % 8 === 0) return "node";
  return turn === 4 ? "config" : turn === 2 || turn === 12 ? "skew" : "partition";
};

const simulate = (world: World, seed: number): Effect.Effect<void, unknown> => {
  switch (worldOf(world, seed)) {
    case "node":
      return Effect.asVoid(simulateNode(seed));
    case "config":
      return Effect.asVoid(simulateConfig(seed));
    case "skew":
      return Effect.asVoid(simulateSkew(seed));
    case "partition":
      return Effect.asVoid(simulatePartition(seed));
  }
};

/** A child: its slice, told to the parent as it goes. */
const runSlice = async (text: string): Promise<void> => {
  const [from = 0, to = 0, step = 1] = text.split(" ").slice(0, 3).map(Number);
  const world = text.split(" ")[3] as World;
  for (let seed = from; seed < to; seed += step) {
    const error = await Effect.runPromise(
      simulate(world, seed).pipe(
        Effect.as(undefined),
        Effect.catchCause((cause) => Effect.succeed(String(cause))),
      ),
    );
    process.send?.({ seed, error });
  }
  process.disconnect();
};

const whole = (name: string, text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1 on`);
  return value;
};

const runAll = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      world: { type: "string", default: "all" },
      jobs: { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [seeds, from, jobs] = [whole("seeds", values.seeds), whole("from", values.from), whole("jobs", values.jobs)];
  const world = worlds.find((each) => each === values.world);
  if (world === undefined) throw new Error(`--world must be one of ${worlds.join(", ")}`);
  const began = performance.now();
  const failed: Array<SliceResult["failed"][number]> = [];
  let ran = 0;
  const told = setInterval(() => process.stderr.write(`${ran} of ${seeds} seeds, ${failed.length} failed\n`), 10_000);
  await Promise.all(
    Array.from({ length: Math.min(jobs, seeds) }, async (_, job) => {
      const child = fork(import.meta.filename, [], {
        env: { ...process.env, SPILLWAY_SIM_SLICE: `${from + job} ${from + seeds} ${jobs} ${world}` },
      });
      child.on("message", (message) => {
        const { error, seed } = message as { readonly seed: number; readonly error: string | undefined };
        ran += 1;
        if (error === undefined) return;
        failed.push({ seed, error });
        process.stderr.write(
          `Seed ${seed} failed; npm run sim -- --world ${world} --from ${seed} --seeds 1 replays it.\n${error}\n`,
        );
      });
      const [code] = (await once(child, "exit")) as [number | null];
      if (code !== 0) failed.push({ seed: 0, error: `a process ended with ${code ?? "a signal"}` });
    }),
  );
  clearInterval(told);
  const seconds = (performance.now() - began) / 1_000;
  process.stderr.write(`${ran} seeds in ${seconds.toFixed(0)} s, ${failed.length} failed\n`);
  if (values.json) process.stdout.write(`${JSON.stringify({ seeds: ran, failed: failed.length, seconds })}\n`);
  return failed.length === 0 && ran === seeds ? 0 : 1;
};

if (slice !== undefined) {
  await runSlice(slice);
} else {
  try {
    process.exitCode = await runAll();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exitCode = 2;
  }
}
