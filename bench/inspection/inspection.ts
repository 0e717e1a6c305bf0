import { parseArgs } from "node:util";
import { createActor } from "xstate";
import { bufferMachine } from "../../src/actors/buffer/machine.ts";
import { definitionOf } from "../../src/observability/inspection/definition.ts";
import type { InspectableBuffer } from "../../src/observability/inspection/inspectable.ts";
import { Watch } from "../../src/observability/inspection/watch.ts";
import { wholeNumber } from "../../demo/options.ts";

export const inspectionHelp = `npm run bench -- inspection [options]

What watching one buffer costs the others: nanoseconds of \`actor.send\`, over 10,000 buffer actors of which none or one
is watched. Each slice of 500 actors is measured twice, without and with a watcher of another actor, the order
changing from slice to slice; told are the medians, and of the overhead the median of the pairs' own ratios. The watched
actor lives through the same events, and its frames are made, redacted and written as JSON text, as for a WebSocket;
what that costs it is told apart.

  --actors N      actors (default 10,000)
  --rounds N      how often all slices are measured (default 10); each time an actor is sent four events twice
  --json          one JSON object on stdout; everything for people goes to stderr
  --help          this text

Exit code 1 when the others pay 5 % or more.
`;

const overheadPercentMax = 5;

export const runInspection = (args: ReadonlyArray<string>): Promise<number> => {
  const options = parseOptions(args);
  if ("problem" in options) {
    process.stderr.write(`${options.problem}\n\n${inspectionHelp}`);
    return Promise.resolve(2);
  }
  const report = measure(options.actors, options.rounds);
  process.stderr.write(
    `${options.actors} actors, ${report.pairs} pairs, medians:\n` +
      `  none watched             ${report.sendNanosUnwatched} ns a send\n` +
      `  the others, one watched  ${report.sendNanosWithOneWatched} ns a send (${report.overheadPercent} %)\n` +
      `  the watched one itself   ${report.sendNanosOfTheWatched} ns a send\n`,
  );
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  return Promise.resolve(report.overheadPercent < overheadPercentMax ? 0 : 1);
};

const parseOptions = (args: ReadonlyArray<string>) => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        actors: { type: "string", default: "10000" },
        rounds: { type: "string", default: "10" },
        json: { type: "boolean", default: false },
      },
    });
    return {
      actors: wholeNumber("actors", values.actors, 2, 1_000_000),
      rounds: wholeNumber("rounds", values.rounds, 1, 10_000),
      json: values.json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};

const measure = (count: number, rounds: number) => {
  const actors = Array.from({ length: count }, (_, i) => startBuffer(`job-${i}`));
  const watchedPlace = Math.floor(count / 2);
  const watched = actors[watchedPlace]!;
  const others = actors.filter((actor) => actor !== watched);
  let written = 0;
  const buffers = { definition: definitionOf(bufferMachine), find: () => inspectable(watched) };
  const sink = { isReady: () => true, send: (frame: unknown) => void (written += JSON.stringify(frame).length) };
  const nanos = { unwatched: [] as Array<number>, withOne: [] as Array<number>, watched: [] as Array<number> };
  const once = (slice: ReadonlyArray<Actor>, isWatched: boolean): void => {
    const watch = new Watch("job", buffers, sink, () => 1);
    if (isWatched) watch.check();
    (isWatched ? nanos.withOne : nanos.unwatched).push(nanosOfSends(slice));
    // Its own events happen in both halves of a pair; what they cost is told apart.
    const own = nanosOfSends([watched]);
    if (isWatched) nanos.watched.push(own);
    watch.close();
  };
  const round = (i: number): void => {
    for (let from = 0; from < others.length; from += sliceActors) {
      const slice = others.slice(from, from + sliceActors);
      const isFirst = (i + from / sliceActors) % 2 === 0;
      once(slice, isFirst);
      once(slice, !isFirst);
    }
  };
  // Compiled, and the heap grown, before anything is counted.
  for (let i = 0; i < 2; i++) round(i);
  for (const list of Object.values(nanos)) list.length = 0;
  for (let i = 0; i < rounds; i++) round(i);
  if (written === 0) throw new Error("the watcher saw nothing");
  return {
    actors: count,
    pairs: nanos.unwatched.length,
    sendNanosUnwatched: Math.round(median(nanos.unwatched)),
    sendNanosWithOneWatched: Math.round(median(nanos.withOne)),
    overheadPercent:
      Math.round((median(nanos.withOne.map((each, i) => each / nanos.unwatched[i]!)) - 1) * 10_000) / 100,
    sendNanosOfTheWatched: Math.round(median(nanos.watched)),
  };
};

/** The halves of a pair are some milliseconds apart, so that a busy machine is as busy in the one as in the other. */
const sliceActors = 500;

type Actor = ReturnType<typeof startBuffer>;

const startBuffer = (job: string) =>
  createActor(bufferMachine, {
    input: {
      job,
      retryBaseMillis: 500,
      retryMillisMax: 60_000,
      oldRevisionAttemptsMax: 3,
      suspendedProbeMillis: 300_000,
      unresolvedFailuresMax: 5,
      deadLettersInRowMax: 20,
    },
  }).start();

const inspectable = (actor: Actor): InspectableBuffer => ({
  rest: "hibernated",
  actor: {
    delivery: () => actor.getSnapshot().value.delivery,
    flow: () => "live",
    context: () => actor.getSnapshot().context,
    inspect: (observer) => {
      const subscription = actor.system.inspect(observer);
      return () => subscription.unsubscribe();
    },
  },
  recent: () => [],
  figures: () => undefined,
});

const batch = { first: 1, last: 2, records: 9, bytes: 99, startMillis: 1, endMillis: 2, closedBy: "size" } as const;
const answer = {
  outcome: { _tag: "Delivered", status: 200, alreadyThere: false },
  nowMillis: 1,
  jitter: 0.5,
  durationMillis: 1,
  bodyBytes: 99,
  written: { records: 9, bytes: 99 },
} as const;

/** What a buffer lives through again and again: it fills, a batch closes, is pushed and delivered; and lags not. */
const events = [
  { type: "window.filled" },
  { type: "batch.closed", batch },
  { type: "push.answered", attempt: 1, answer },
  { type: "buffer.caughtUp" },
] as const;

const nanosOfSends = (actors: ReadonlyArray<Actor>): number => {
  const begun = process.hrtime.bigint();
  for (const actor of actors) for (const event of events) actor.send(event);
  return Number(process.hrtime.bigint() - begun) / (actors.length * events.length);
};

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
