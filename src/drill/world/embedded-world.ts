import { Effect, References, type Scope } from "effect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limitDefaults } from "../../control/limit-defaults.ts";
import { startEmbeddedServer } from "../../streams/embedded/server.ts";
import { fileStoreBytes } from "../../streams/topology.ts";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import type { DrillJob, DrillNode, DrillWorld, Pausable, WorldPlan } from "./drill-world.ts";
import { writeBriskAlerts } from "./brisk-alerts.ts";
import { openNodeClient } from "./node-client.ts";
import { signalProcess, startNodeProcess } from "./node-process.ts";

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
  const nats = yield* startNats(directory, plan);
  const jobsFile = join(directory, "jobs.json");
  yield* Effect.promise(() => writeFile(jobsFile, JSON.stringify({ jobs })));
  const alertRulesFile = plan.alerts === undefined ? undefined : join(directory, "alerts.json");
  if (alertRulesFile !== undefined) yield* writeBriskAlerts(alertRulesFile, plan.alerts ?? {});
  const ended: Array<string> = [];
  const nodes: Array<DrillNode> = [];
  const logs: Array<string> = [];
  for (const [at, roles] of plan.nodes.entries()) {
    const name = `node-${at + 1}`;
    const logFile = join(directory, `${name}.log`);
    logs.push(logFile);
    const settingsFile = join(directory, `${name}.json`);
    const settings = {
      listen: "127.0.0.1:0",
      controlListen: "127.0.0.1:0",
      nats: { servers: nats.url },
      dataDirectory: join(directory, name),
      partitions: plan.partitions,
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
  return { kind: "embedded", nodes, nats: nats.process, ended: () => ended, logs };
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
  const send = (signal: NodeJS.Signals) => Effect.sync(() => signalProcess(server.pid(), signal));
  // One that is stopped would not hear that it is to end.
  yield* Effect.addFinalizer(() => send("SIGCONT"));
  const process: Pausable = { name: "nats-server", pid: server.pid, pause: send("SIGSTOP"), resume: send("SIGCONT") };
  return { url: server.url, process };
});
