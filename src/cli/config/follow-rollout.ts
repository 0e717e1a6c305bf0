import { Clock, Console, Effect, Schedule } from "effect";
import type { ConfigStatus } from "../../domain/config-report.ts";
import type { ApiClient } from "../client.ts";
import { CommandFailure, failed } from "../command-failure.ts";
import { recordLine, rolloutLine } from "./status-text.ts";

const pollMillis = 250;
/** So often in a row may the status not be had: ten seconds. */
const retriesMax = 40;

/** How a rollout may end, as an exit code. */
const exitCodes = { rolledBack: 3, refused: 4, abandoned: 3 } as const;

/**
 * Says where the rollout is, a line for each change, until it has ended. Ctrl-C ends the watching, not the rollout.
 *
 * @param since what the control process answered when it was asked: what ended before is not meant
 */
export const followRollout = Effect.fnUntraced(function* (
  client: ApiClient,
  begun: ConfigStatus,
  { json, lastBefore, seconds }: { readonly json: boolean; readonly lastBefore: string; readonly seconds: number },
) {
  let status = begun;
  let told = "";
  const deadline = (yield* Clock.currentTimeMillis) + seconds * 1_000;
  for (;;) {
    const line = json ? JSON.stringify(status.rollout) : rolloutLine(status.rollout);
    // The time that a step is watched is no news.
    const news = `${status.rollout.state} ${status.rollout.percent}`;
    const isIdle = status.rollout.state === "idle";
    if (news !== told && !isIdle) yield* json ? Console.log(line) : Console.error(line);
    told = news;
    if (isIdle || status.rollout.state === "halted") return yield* ending(status, json, lastBefore);
    if ((yield* Clock.currentTimeMillis) >= deadline)
      return yield* failed(`still on its way after ${seconds} s; \`spillway config status\` tells how it goes on`);
    yield* Effect.sleep(pollMillis);
    // Nobody may lead for a moment: the rollout goes on all the same.
    status = (yield* client
      .ask({ method: "GET", path: "/v1/config/status" })
      .pipe(Effect.retry({ schedule: Schedule.spaced(pollMillis), times: retriesMax }))).body as ConfigStatus;
  }
});

const ending = Effect.fnUntraced(function* (status: ConfigStatus, json: boolean, lastBefore: string) {
  const { frozen, last, refusal, rollout } = status;
  if (json) yield* Console.log(JSON.stringify(status));
  if (rollout.state === "halted")
    return yield* new CommandFailure({ message: `halted: ${rollout.reason}`, exitCode: 5 });
  if (last === null || endOf(status) === lastBefore) {
    if (!json) yield* Console.log("Nothing is to be changed: what is stored is in force.");
    return;
  }
  if (last.result === "complete") {
    if (json) return;
    yield* Console.log(`${recordLine(last)}, in force everywhere`);
    if (frozen !== null)
      yield* Console.log("The configuration is frozen: `spillway config unfreeze` lets what is stored go out again.");
    return;
  }
  const accept =
    refusal?.refusals.every(({ acceptable }) => acceptable) === true
      ? `\nTo let exactly this one past: --accept-blast-radius ${refusal.snapshot}`
      : "";
  return yield* new CommandFailure({ message: recordLine(last) + accept, exitCode: exitCodes[last.result] });
});

/** Tells one ended rollout from the next. */
export const endOf = ({ last }: ConfigStatus): string =>
  last === null ? "" : `${last.number} ${last.hash} ${last.result} ${last.atMillis}`;
