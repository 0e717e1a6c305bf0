import { seededRandom } from "./generator/seeded-random.ts";
import type { Progress } from "./progress.ts";
import type { SpillwayProcess } from "./spillway-process.ts";

const restartsMax = 200;
const attemptsMax = 3;

/**
 * Starts Spillway again whenever it ends, whoever ended it: `--kill`, or a person with `kill -9` in another terminal. A
 * start that fails ends the demo through `onFailure`.
 */
export const keepRunning = (
  spillway: SpillwayProcess,
  progress: Progress,
  onFailure: (error: unknown) => void,
): void => {
  let restarts = 0;
  spillway.onUnexpectedExit = (how) => {
    restarts += 1;
    if (restarts > restartsMax) return onFailure(new Error(`Spillway ended ${restarts} times`));
    progress.say(`Spillway has ended (${how}). Starting it again on the same data.`);
    void restart(spillway, progress).catch(onFailure);
  };
};

/** Somebody may kill it while it starts: that is one more reason to start it. */
const restart = async (spillway: SpillwayProcess, progress: Progress): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      await spillway.start();
      return progress.say(`Spillway is back as process ${spillway.pid}.`);
    } catch (error) {
      if (attempt === attemptsMax) throw error;
    }
  }
};

/** When to kill: numbers of acknowledged records, spread over the run, moved by the seed. */
export const killPoints = (kills: number, records: number, seed: number): ReadonlyArray<number> => {
  const random = seededRandom(seed ^ 0x6b696c6c);
  return Array.from({ length: kills }, (_, kill) =>
    Math.floor(((kill + 0.2 + random(600) / 1_000) / kills) * records * 0.95),
  );
};
