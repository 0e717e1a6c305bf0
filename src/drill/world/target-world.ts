import { Effect, type Scope } from "effect";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import { disarmFaults, type DrillJob, type DrillWorld, putJob, switchGuard } from "./drill-world.ts";
import { openNodeClient } from "./node-client.ts";
import { guardNames } from "../../domain/drill-state.ts";

/** Job writes at once. */
const writesMax = 8;

/**
 * A running node that was started for drills: refused otherwise, before anything is written. The drill's push jobs are
 * put into it and taken out again at the end, and so is whatever it armed or switched off.
 *
 * @param url its data address
 */
export const openTargetWorld = Effect.fn("drill.openTargetWorld")(function* (
  url: string,
  token: string | undefined,
  jobs: ReadonlyArray<DrillJob>,
): Effect.fn.Return<DrillWorld, DrillFailure, Scope.Scope> {
  const client = yield* openNodeClient(url, token);
  const { json: health } = yield* client.ask({ method: "GET", path: "/healthz" });
  if ((health as { readonly drill?: unknown } | undefined)?.drill !== true) {
    return yield* drillFailure(
      `${url} is not a drill target: its /healthz does not say "drill": true. A drill hurts whoever uses the node. ` +
        "If nobody does, start it with --drill or SPILLWAY_DRILL=true.",
    );
  }
  const world: DrillWorld = {
    kind: "target",
    nodes: [{ name: url, dataUrl: url, client, process: undefined }],
    nats: undefined,
    ended: () => [],
    logs: [],
  };
  yield* Effect.addFinalizer(() =>
    Effect.all([disarmFaults(world), ...guardNames.map((name) => switchGuard(world, name, true, 1))]).pipe(
      Effect.catch(({ message }) =>
        Effect.logWarning("The target could not be put right; it does so by itself.", { message }),
      ),
    ),
  );
  yield* Effect.forEach(jobs, (job) => lendJob(world, job), { concurrency: writesMax, discard: true });
  return world;
});

/** Taken out again with the scope. */
const lendJob = ({ nodes }: DrillWorld, job: DrillJob): Effect.Effect<void, DrillFailure, Scope.Scope> => {
  const { client } = nodes[0]!;
  return Effect.acquireRelease(putJob(client, job), () =>
    client
      .ask({ method: "DELETE", path: `/v1/jobs/${job.id}`, expect: [404], millisMax: 30_000 })
      .pipe(
        Effect.catch(({ message }) =>
          Effect.logWarning("A push job of the drill could not be deleted.", { job: job.id, message }),
        ),
      ),
  ).pipe(Effect.asVoid);
};
