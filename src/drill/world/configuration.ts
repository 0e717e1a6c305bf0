import { Effect, Schedule } from "effect";
import type { ConfigPlan, ConfigStatus } from "../../domain/config-report.ts";
import { drillFailure } from "../drill-failure.ts";
import type { NodeClient } from "./node-client.ts";

/** What was in force when the drill began: where it goes back to. */
export interface InForce {
  readonly number: number;
  readonly enabled: number;
}

const pollMillis = 250;
const answerMillisMax = 30_000;

export const configStatus = ({ ask }: NodeClient) =>
  Effect.map(
    ask({ method: "GET", path: "/v1/config/status", millisMax: answerMillisMax }),
    ({ json }) => json as ConfigStatus,
  );

const post = ({ ask }: NodeClient, path: string, json: object) =>
  ask({ method: "POST", path: `/v1/config/${path}`, json, millisMax: answerMillisMax });

export const unfreeze = (client: NodeClient) => post(client, "unfreeze", {});

const patiently = (millisMax: number) => ({
  schedule: Schedule.spaced(pollMillis),
  times: Math.ceil(millisMax / pollMillis),
});

/**
 * Until everything that is stored is in force. What the gate refuses for its size alone is accepted: these are a
 * drill's own push jobs, many of them at once.
 */
export const bringIntoForce = (client: NodeClient, millisMax: number) =>
  Effect.gen(function* () {
    const status = yield* configStatus(client);
    const { frozen, inForce, pending, refusal, rollout } = status;
    if (frozen !== null) {
      return yield* drillFailure(`the configuration is frozen by ${frozen.who}: ${frozen.why || "no reason given"}`);
    }
    if (rollout.state === "idle" && pending === 0 && refusal === null && inForce?.enabled !== undefined) {
      const settled: InForce = { number: inForce.number, enabled: inForce.enabled };
      return settled;
    }
    if (rollout.state === "idle" && refusal !== null) yield* acceptPending(client);
    return yield* drillFailure(
      refusal === null
        ? `${pending} push jobs are stored and not in force yet (${rollout.state}, ${rollout.percent} %)`
        : `the gate refuses what is stored: ${refusal.refusals.map(({ message }) => message).join(" ")}`,
    );
  }).pipe(Effect.retry(patiently(millisMax)));

const acceptPending = Effect.fnUntraced(function* (client: NodeClient) {
  const { json } = yield* client.ask({ method: "GET", path: "/v1/config/plan", millisMax: answerMillisMax });
  const { verdict } = json as ConfigPlan;
  if (verdict === null || !verdict.refusals.every(({ acceptable }) => acceptable)) return;
  yield* post(client, "apply", { accept: verdict.snapshot });
});

/** What an operator does after such a day: brings back what was in force before, and releases the configuration. */
export const goBackTo = (client: NodeClient, before: InForce, millisMax: number) =>
  Effect.gen(function* () {
    const status = yield* configStatus(client);
    const { frozen, inForce, refusal, rollout } = status;
    if (rollout.state !== "idle") return yield* drillFailure("a rollout is under way");
    if (inForce !== null && inForce.enabled !== before.enabled) {
      // Refused for its size, it is asked for again, and accepted.
      const accept = refusal === null || refusal.passed ? {} : { accept: refusal.snapshot };
      yield* post(client, "rollback", { to: before.number, ...accept });
      return yield* drillFailure("what was before is not in force yet");
    }
    if (frozen !== null) yield* unfreeze(client);
  }).pipe(Effect.retry(patiently(millisMax)));
