import { Effect, References, type Scope } from "effect";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limitDefaults } from "../../control/limit-defaults.ts";
import { startEmbeddedServer } from "../../streams/embedded/server.ts";
import { fileStoreBytes } from "../../streams/topology.ts";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import { bringIntoForce } from "./configuration.ts";
import type { DrillJob, DrillNode, DrillWorld, WorldPlan } from "./drill-world.ts";
import { writeBriskAlerts } from "./brisk-alerts.ts";
import { openNodeClient } from "./node-client.ts";
import { startNodeProcess } from "./node-process.ts";

const startMillisMax = 30_000;

/**
 * A world of the drill's own: a nats-server and some nodes in drill mode, each a process, on free ports of 127.0.0.1,
 * with their data in a temporary directory. All of it ends with the scope.
 */
export const openEmbeddedWorld = Effect.fn("drill.openEmbeddedWorld")(function* (
  plan: WorldPlan,
  jobs: ReadonlyArray<DrillJob>,
): Effect.fn.Return<DrillWorld, DrillFailure, Scope.Scope> {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-drill-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 })),
  );
  const natsUrl = yield* startNats(directory, plan);
  const datasets = join(directory, "datasets");
  yield* Effect.promise(() => mkdir(datasets));
  const jobsFile = join(directory, "jobs.json");
  yield* Effect.promise(() => writeFile(jobsFile, JSON.stringify({ jobs })));
  const alertRulesFile = plan.alerts === undefined ? undefined : join(directory, "alerts.json");
  if (alertRulesFile !== undefined) yield* writeBriskAlerts(alertRulesFile, plan.alerts ?? {});
  const ended: Array<string> = [];
  const nodes: Array<DrillNode> = [];
  for (const [at, roles] of plan.nodes.entries()) {
    const name = `node-${at + 1}`;
    const logFile = join(directory, `${name}.log`);
    const settingsFile = join(directory, `${name}.json`);
    const settings = {
      listen: "127.0.0.1:0",
      controlListen: "127.0.0.1:0",
      nats: { servers: natsUrl },
      dataDirectory: join(directory, name),
      partitions: plan.partitions,
      datasetsDirectory: datasets,
      roles,
      allowPrivateDestinations: true,
      nodeName: name,
      drill: true,
      ...(alertRulesFile === undefined ? {} : { alertRulesFile }),
      limits: plan.limits,
    };
    yield* Effect.promise(() => writeFile(settingsFile, JSON.stringify(settings)));
    // One node applies them: the others follow.
    const own = at === 0 && jobs.length > 0 ? ["--jobs", jobsFile] : [];
    const process = yield* startNodeProcess({
      name,
      args: ["serve", "--config", settingsFile, ...own],
      logFile,
      onEnd: (how) => void ended.push(how),
    });
    const client = yield* openNodeClient(process.controlUrl, undefined);
    nodes.push({ name, dataUrl: roles.includes("forwarder") ? process.dataUrl : undefined, client, process });
  }
  const before = yield* bringIntoForce(nodes[0]!.client, startMillisMax).pipe(
    Effect.mapError(({ message }) => drillFailure(`The drill's push jobs do not come into force: ${message}`)),
  );
  return { kind: "embedded", nodes, before, datasets, ended: () => ended };
});

const startNats = Effect.fnUntraced(function* (directory: string, plan: WorldPlan) {
  const defaults = yield* limitDefaults;
  const bytes = (name: "logBytesMax" | "deadLetterBytesMax" | "auditBytesMax" | "configBytesMax" | "messageBytesMax") =>
    plan.limits[name] ?? defaults[name] ?? 0;
  const server = yield* startEmbeddedServer({
    dataDirectory: join(directory, "nats"),
    fileStoreBytesMax: fileStoreBytes({
      partitions: plan.partitions,
      logBytesMax: bytes("logBytesMax"),
      deadLetterBytesMax: bytes("deadLetterBytesMax"),
      auditBytesMax: bytes("auditBytesMax"),
      configBytesMax: bytes("configBytesMax"),
    }),
    messageBytesMax: bytes("messageBytesMax"),
  }).pipe(
    // The drill has its own lines to say.
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    Effect.mapError(({ message }) => drillFailure(`The drill's nats-server does not start: ${message}`)),
  );
  return server.url;
});
