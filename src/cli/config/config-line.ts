import { Effect, Option } from "effect";
import { Flag } from "effect/cli";
import { openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";

/** Generating a snapshot of a million jobs takes seconds. */
export const planMillisMax = 120_000;

export const connectFlags = { url: urlFlag, json: jsonFlag };

export const reasonFlag = Flag.String("reason").pipe(
  Flag.withDescription("Why, for the audit log and the history (default: SPILLWAY_REASON)"),
  Flag.optional,
);

/** Of commands that roll something out. */
export const rolloutFlags = {
  ...connectFlags,
  accept: Flag.String("accept-blast-radius").pipe(
    Flag.withDescription("Let the one snapshot with this hash past the gate's thresholds; audited"),
    Flag.optional,
  ),
  reason: reasonFlag,
  timeout: Flag.Int("timeout").pipe(
    Flag.withDescription("Watch for so many seconds at most; the rollout goes on all the same"),
    Flag.withDefault(3_600),
  ),
  detach: Flag.Boolean("detach").pipe(Flag.withDescription("Begin, and do not watch"), Flag.withDefault(false)),
};

/** A client of the node, with a reason for the audit log. */
export const openConfigLine = Effect.fnUntraced(function* (url: string, reason: Option.Option<string> = Option.none()) {
  const connection = yield* connectionTo(url);
  return yield* openClient(
    Option.match(reason, { onNone: () => connection, onSome: (why) => ({ ...connection, reason: why }) }),
  );
});
