import { Clock, Console, Effect, Schedule } from "effect";
import type { ConfigStatus, RolloutRecord, RolloutReport, SnapshotName } from "../../domain/config-report.ts";
import type { ApiClient } from "../client.ts";
import { CommandFailure, failed } from "../command-failure.ts";
import { type ProgressLine, progressLine } from "./progress-line.ts";
import { recordLine, rolloutLine } from "./status-text.ts";

const pollMillis = 250;
/** So often in a row may the status not be had: ten seconds. */
const retriesMax = 40;
/** Rollouts that may have ended since ours did: small changes follow one another. */
const historyMax = 100;

/** How a rollout may end, as an exit code. */
const exitCodes = { rolledBack: 3, refused: 4, abandoned: 3 } as const;

export interface FollowOptions {
  /** One JSON object a line: the rollout at each change, and last the status with `ended`, how it ended. */
  readonly json: boolean;
  /** So long at most. */
  readonly seconds: number;
  /** It was asked to go back: that it has gone back is what was wanted. */
  readonly isWayBack?: boolean;
}

/**
 * Says where a rollout is until it has ended: that one, whatever else is rolled out before or after it. Ctrl-C ends the
 * watching, not the rollout.
 *
 * @param begun what the control process answered when it was asked
 */
export const followRollout = (client: ApiClient, begun: ConfigStatus, options: FollowOptions) => {
  const wanted = begun.begun === undefined ? begun.rollout.target : begun.begun;
  if (wanted === null) return nothingBegun(begun, options);
  const line = progressLine(process.stderr);
  return follow(client, begun, wanted, line, options).pipe(
    Effect.onInterrupt(() => Effect.andThen(Effect.sync(line.clear), Console.error(left(wanted)))),
    Effect.ensuring(Effect.sync(line.clear)),
  );
};

const nothingBegun = (status: ConfigStatus, { json }: FollowOptions) =>
  Console.log(
    json ? JSON.stringify({ ...status, ended: null }) : "Nothing is to be changed: what is stored is in force.",
  );

const left = ({ number }: SnapshotName): string =>
  `spillway: the rollout of snapshot ${number} goes on by itself. \`spillway config status\` shows how; ` +
  "`spillway config halt` stops it where it is, `spillway config rollback` takes it back.";

const follow = Effect.fnUntraced(function* (
  client: ApiClient,
  begun: ConfigStatus,
  wanted: SnapshotName,
  line: ProgressLine,
  options: FollowOptions,
) {
  const { json, seconds } = options;
  let status = begun;
  let told = "";
  const deadline = (yield* Clock.currentTimeMillis) + seconds * 1_000;
  for (;;) {
    const { rollout } = status;
    if (rollout.state === "idle" || rollout.target?.hash !== wanted.hash) {
      line.clear();
      return yield* ending(status, yield* endOf(client, status, wanted), options);
    }
    const news = newsOf(rollout);
    if (!json) line.show(rolloutLine(rollout), news);
    else if (news !== told) yield* Console.log(JSON.stringify(rollout));
    told = news;
    if (rollout.state === "halted") {
      line.clear();
      if (json) yield* Console.log(JSON.stringify({ ...status, ended: null }));
      return yield* new CommandFailure({ message: `halted: ${rollout.reason || "no reason given"}`, exitCode: 5 });
    }
    if ((yield* Clock.currentTimeMillis) >= deadline) {
      line.clear();
      return yield* failed(`still on its way after ${seconds} s; \`spillway config status\` tells how it goes on`);
    }
    yield* Effect.sleep(pollMillis);
    // Nobody may lead for a moment: the rollout goes on all the same.
    status = (yield* client
      .ask({ method: "GET", path: "/v1/config/status" })
      .pipe(Effect.retry({ schedule: Schedule.spaced(pollMillis), times: retriesMax }))).body as ConfigStatus;
  }
});

/** The time that a step is watched is no news. */
const newsOf = ({ adopted, percent, state }: RolloutReport): string =>
  `${state} ${percent} ${adopted?.nodes} ${adopted?.of}`;

/** Another one may have ended since: then it is in the history. Undefined: nobody knows any more. */
const endOf = Effect.fnUntraced(function* (client: ApiClient, { last }: ConfigStatus, { hash }: SnapshotName) {
  if (last?.hash === hash) return last;
  const page = (yield* client.ask({ method: "GET", path: `/v1/config/history?limit=${historyMax}` })).body as {
    readonly rollouts: ReadonlyArray<RolloutRecord>;
  };
  return page.rollouts.find((record) => record.hash === hash);
});

const ending = Effect.fnUntraced(function* (
  status: ConfigStatus,
  ended: RolloutRecord | undefined,
  { isWayBack = false, json }: FollowOptions,
) {
  if (json) yield* Console.log(JSON.stringify({ ...status, ended: ended ?? null }));
  if (ended === undefined)
    return yield* failed("nobody knows any more how it ended; `spillway config history` lists what did");
  if (ended.result === "complete" || (isWayBack && ended.result !== "refused")) {
    if (json) return;
    yield* Console.log(`${recordLine(ended)}${ended.result === "complete" ? ", in force everywhere" : ""}`);
    if (status.frozen !== null)
      yield* Console.log("The configuration is frozen: `spillway config unfreeze` lets what is stored go out again.");
    return;
  }
  const { refusal } = status;
  const isAcceptable = refusal?.snapshot === ended.hash && refusal.refusals.every(({ acceptable }) => acceptable);
  const accept = isAcceptable ? `\nTo let exactly this one past: --accept-blast-radius ${ended.hash}` : "";
  return yield* new CommandFailure({ message: recordLine(ended) + accept, exitCode: exitCodes[ended.result] });
});
