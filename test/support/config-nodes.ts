import { assert } from "@effect/vitest";
import { Context, Effect, Exit, Layer, Schedule, Scope } from "effect";
import { Jobs } from "../../src/actors/ports/jobs.ts";
import type { ConfigCommand, ConfigPlan, ConfigStatus } from "../../src/domain/config-report.ts";
import { NodeConfiguration } from "../../src/node/served-jobs.ts";
import { askControl } from "../../src/streams/config-messages.ts";
import { JobStore } from "../../src/streams/job-store.ts";
import type { Nats } from "../../src/streams/nats.ts";
import { configNode, type ConfigNodeOptions, job } from "./job-nodes.ts";

type Everything = JobStore | Jobs | NodeConfiguration | Nats;

/** A node that stores, rolls out and serves push jobs, and can be ended by itself. */
export const startNode = Effect.fnUntraced(function* (url: string, options: ConfigNodeOptions) {
  const scope = yield* Scope.make();
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void));
  const context = yield* Layer.buildWithScope(configNode(url, options), scope);
  return {
    end: Scope.close(scope, Exit.void),
    jobs: Context.get(context, Jobs),
    store: Context.get(context, JobStore),
    configuration: Context.get(context, NodeConfiguration),
    run: <A, E>(effect: Effect.Effect<A, E, Everything>) => Effect.provideContext(effect, context),
  };
});
export type StartedNode = Effect.Success<ReturnType<typeof startNode>>;
type Asked = Pick<StartedNode, "run">;

interface Said {
  readonly done?: ConfigStatus;
  readonly invalid?: string;
  readonly conflict?: string;
}

/** What the control process says, be it that it was not done. */
export const answerTo = (node: Asked, command: ConfigCommand) =>
  node.run(askControl(command)).pipe(
    // Nobody leads for a moment when who led is gone.
    Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }),
    Effect.map((said) => said as Said),
  );

/** What was done. */
export const ask = <A = ConfigStatus>(node: Asked, command: ConfigCommand) =>
  Effect.map(answerTo(node, command), (said) => (said as { readonly done: A }).done);

const askUntil = Effect.fnUntraced(function* <A>(
  asking: Effect.Effect<A | undefined, unknown>,
  what: string,
  isSo: (told: A) => boolean,
  millis: number,
) {
  const deadline = performance.now() + millis;
  for (;;) {
    const told = yield* asking;
    if (told !== undefined && isSo(told)) return told;
    if (performance.now() > deadline) assert.fail(`not in ${millis} ms: ${what}; ${JSON.stringify(told)}`);
    yield* Effect.sleep(30);
  }
});

/** Asks until it is so. */
export const statusUntil = (node: Asked, what: string, isSo: (status: ConfigStatus) => boolean, millis = 20_000) =>
  askUntil(ask<ConfigStatus | undefined>(node, { op: "status" }), what, isSo, millis);

/** Asks what would be rolled out now until it is so. */
export const planUntil = (node: Asked, what: string, isSo: (plan: ConfigPlan) => boolean) =>
  askUntil(ask<ConfigPlan | undefined>(node, { op: "plan" }), what, isSo, 20_000);

/** So many push jobs, no more of them pending, and no rollout under way. */
export const inForce = (node: Asked, jobs: number) =>
  statusUntil(
    node,
    `${jobs} jobs in force`,
    ({ inForce: now, pending, rollout }) => now?.jobs === jobs && pending === 0 && rollout.state === "idle",
  );

export const customers = (count: number, prefix = "c") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/**
 * A push job for each of these customers, as one transaction: one after the other they would be small changes, so many
 * of them as the control process happens to see at once.
 */
export const putAll = ({ run, store }: StartedNode, names: ReadonlyArray<string>, changes: object = {}) =>
  run(store.change(names.map((customer) => ({ put: job(`j-${customer}`, { customer, ...changes }) }))));

export const elsewhere = { destination: { kind: "file", path: "/elsewhere" } };

/** Where this node delivers what the customer's job is about. */
export const pathOf = ({ jobs }: Pick<StartedNode, "jobs">, customer: string) =>
  (jobs.served().byId.get(`j-${customer}`)?.job.destination as { readonly path?: string } | undefined)?.path;
