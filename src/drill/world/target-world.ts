import { Effect, type Scope } from "effect";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import { bringIntoForce, configStatus, unfreeze } from "./configuration.ts";
import { disarmFaults, type DrillJob, type DrillNode, type DrillWorld, putJobs, switchGuard } from "./drill-world.ts";
import { openNodeClient } from "./node-client.ts";
import { type DrillState, guardNames } from "../../domain/drill-state.ts";

/** Steps of a rollout are watched for a minute each by default. */
const inForceMillisMax = 600_000;
const leaveMillisMax = 60_000;

/**
 * Running nodes that were started for drills: refused otherwise, before anything is written. The drill's push jobs are
 * put into their cluster and taken out again at the end, and so is whatever it armed or switched off.
 *
 * @param urls data or control addresses, of as many of its nodes as shall be broken; the first is asked how things are
 * @param say one line of progress
 */
export const openTargetWorld = Effect.fn("drill.openTargetWorld")(function* (
  urls: ReadonlyArray<string>,
  token: string | undefined,
  jobs: ReadonlyArray<DrillJob>,
  say: (line: string) => Effect.Effect<void>,
): Effect.fn.Return<DrillWorld, DrillFailure, Scope.Scope> {
  const nodes = yield* Effect.forEach(urls, (url) => openTarget(url, token));
  const { client } = nodes[0]!;
  const { frozen, inForce, leader, pending, refusal, rollout } = yield* configStatus(client);
  if (frozen !== null || pending > 0 || refusal !== null || rollout.state !== "idle") {
    return yield* drillFailure(
      "The target's configuration is frozen, refused or on its way: see `spillway config status` there, and settle it.",
    );
  }
  if (!nodes.some(({ name }) => name === leader)) {
    return yield* drillFailure(
      `The configuration is led by node ${leader}, which is none of the targets (${nodes.map(({ name }) => name).join(", ")}): ` +
        "name it as well, with another --target.",
    );
  }
  const world = { kind: "target", nodes, datasets: undefined, ended: () => [] } as const;
  yield* Effect.addFinalizer(() =>
    leave({ ...world, before: { number: inForce?.number ?? 0, enabled: inForce?.enabled ?? 0 } }, jobs),
  );
  yield* putJobs(client, jobs);
  yield* say(`${jobs.length} push jobs are stored; waiting until they are in force`);
  const before = yield* bringIntoForce(client, inForceMillisMax).pipe(
    Effect.mapError(({ message }) => drillFailure(`The drill's push jobs do not come into force: ${message}`)),
  );
  return { ...world, before };
});

const openTarget = Effect.fnUntraced(function* (
  url: string,
  token: string | undefined,
): Effect.fn.Return<DrillNode, DrillFailure, Scope.Scope> {
  const client = yield* openNodeClient(url, token);
  const { json } = yield* client.ask({ method: "GET", path: "/healthz" });
  const health = (json ?? {}) as { readonly drill?: unknown } & Partial<DrillState>;
  if (health.drill === true) {
    const dataUrl = health.roles?.includes("forwarder") === false ? undefined : url;
    return { name: health.node ?? url, dataUrl, client, process: undefined };
  }
  return yield* drillFailure(
    `${url} is not a drill target: its /healthz does not say "drill": true. A drill hurts whoever uses the node. ` +
      "If nobody does, start it with --drill or SPILLWAY_DRILL=true.",
  );
});

/** As it was found, as far as that is in our hands: what is armed ends by itself. */
const leave = (world: DrillWorld, jobs: ReadonlyArray<DrillJob>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client } = world.nodes[0]!;
    yield* disarmFaults(world);
    yield* Effect.forEach(guardNames, (name) => switchGuard(world, name, true, 1));
    yield* putJobs(client, [], jobs);
    const { frozen } = yield* configStatus(client);
    // By what the drill broke: nobody else uses a drill target.
    if (frozen !== null) yield* unfreeze(client);
    yield* bringIntoForce(client, leaveMillisMax);
  }).pipe(
    Effect.timeout(2 * leaveMillisMax),
    Effect.catch(({ message }) =>
      Effect.logWarning("The target could not be put right in full: see `spillway config status` there.", { message }),
    ),
  );
