import { Clock, Effect, Schedule } from "effect";
import { grouped } from "../table.ts";
import type { Source } from "./source.ts";
import type { SendTally } from "./tally.ts";

const barWidth = 24;
const barMillis = 200;
const lineMillis = 5_000;

/** Shows how far a `send` is: a bar on a terminal, else a line now and then. Runs until interrupted. */
export const showProgress = Effect.fnUntraced(function* (
  source: Source,
  tally: SendTally,
  stderr: NodeJS.WriteStream,
): Effect.fn.Return<void> {
  const started = yield* Clock.currentTimeMillis;
  const isTerminal = stderr.isTTY;
  const show = Effect.gen(function* () {
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1_000;
    const text = progressText(source, tally, seconds);
    stderr.write(isTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
  });
  const millis = isTerminal ? barMillis : lineMillis;
  yield* Effect.sleep(millis).pipe(
    Effect.andThen(Effect.repeat(show, Schedule.spaced(millis))),
    Effect.ensuring(Effect.sync(() => void (isTerminal && stderr.write("\r\x1b[2K")))),
  );
});

export const progressText = (
  source: Pick<Source, "bytesTotal" | "bytesRead">,
  tally: SendTally,
  seconds: number,
): string => {
  const answered = tally.sent - tally.unanswered;
  const rate = seconds > 0 ? Math.round(answered / seconds) : 0;
  const counts = `${grouped(answered)} records, ${grouped(rate)} records/s`;
  if (source.bytesTotal === undefined || source.bytesTotal === 0) return counts;
  const share = Math.min(1, source.bytesRead() / source.bytesTotal);
  const filled = Math.round(share * barWidth);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}] ${Math.floor(share * 100)}%  ${counts}`;
};
