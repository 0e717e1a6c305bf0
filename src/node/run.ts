import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { Console, Effect, Layer, Option, Schema, type Scope } from "effect";
import { Owner } from "../actors/owner.ts";
import { DrillFaults } from "../actors/ports/drill-faults.ts";
import type { Limits } from "../domain/limits.ts";
import { residentBuffersDefault } from "../domain/residency-default.ts";
import { DrillAdmin } from "../api/drill-port.ts";
import { DeadLettersAdmin } from "../api/dead-letters-port.ts";
import { BufferCommands, BuffersView } from "../api/buffers-port.ts";
import { JobHistory } from "../api/job-history-port.ts";
import { JobTransactions } from "../api/job-transactions-port.ts";
import { JobsAdmin, NodeView } from "../api/ports.ts";
import { ReplaysAdmin } from "../api/replays-port.ts";
import { DestinationHosts } from "../actors/destination-host/destination-hosts.ts";
import { AlertsView } from "../api/alerts-port.ts";
import { DatasetsView } from "../api/datasets-port.ts";
import { HostsView } from "../api/hosts-port.ts";
import { LimitsView } from "../api/limits-port.ts";
import { AuditTrail } from "../api/audit-port.ts";
import { ConfigControl } from "../api/config-port.ts";
import { ReceiptsView } from "../api/receipts-port.ts";
import { SwitchesAdmin } from "../api/switches-port.ts";
import type { DoorReport } from "../api/reports.ts";
import { type Served, serveApi } from "../api/server.ts";
import { startControlThread } from "../control-thread/control-thread.ts";
import { loadCatalogue } from "../control/catalogue.ts";
import { limitDefaults } from "../control/limit-defaults.ts";
import { loadSettings, type Settings, type SettingsSources } from "../control/settings.ts";
import { makeIngest } from "../forwarder/ingest.ts";
import { keepRefusalReceipts } from "../forwarder/keep-refusal-receipts.ts";
import { RefusalPeriods } from "../forwarder/refusal-periods.ts";
import { bindAuditLog, createAuditStream } from "../streams/audit-log.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../streams/embedded/server.ts";
import { Nats } from "../streams/nats.ts";
import { keepOpening } from "../streams/store-opening.ts";
import { makeRefusalReceipts } from "../streams/refusal-receipts.ts";
import { fileStoreBytes } from "../streams/topology.ts";
import { packageVersion } from "../cli/package-version.ts";
import { applyJobsAtStart } from "./jobs-at-start.ts";
import { startAlerts } from "./start-alerts.ts";
import { makeBufferCommands } from "./buffer-commands.ts";
import { makeBuffersView } from "./buffers-view.ts";
import { makeConfigControl } from "./config-control.ts";
import { makeDeadLettersAdmin } from "./dead-letters-admin.ts";
import { makeNodeDrill, type NodeDrill } from "./drill-faults.ts";
import { makeInspectableBuffers } from "./inspectable-buffers.ts";
import { makeJobHistory } from "./job-history.ts";
import { makeJobTransactions } from "./job-transactions.ts";
import { makeJobsAdmin } from "./jobs-admin.ts";
import { layerNode } from "./node-layers.ts";
import { makeLimitsView } from "./limits-view.ts";
import { makeNodeView } from "./node-view.ts";
import { auditTrailOf } from "./audit-trail.ts";
import { noteEndedSwitches } from "./note-ended-switches.ts";
import { makeReceiptsView } from "./receipts-view.ts";
import { makeReplaysAdmin } from "./replays-admin.ts";
import { watchSwitchCounts } from "./switch-counts-view.ts";
import { makeSwitchesAdmin } from "./switches-admin.ts";
import { reportConfig } from "./report-config.ts";
import { tellAlerts } from "./tell-alerts.ts";
import { RolloutSignals } from "./rollout-signals.ts";
import { runControl } from "./run-control.ts";
import { servedDatasets } from "./served-datasets.ts";
import { NodeConfiguration } from "./served-jobs.ts";
import { watchCatalogue } from "./watch-catalogue.ts";
import { whyNotServing } from "./why-not-serving.ts";

/** The node could not start; `message` says what to do, in one line or a few. */
export class NodeStartError extends Schema.TaggedError<NodeStartError>()("NodeStartError", {
  message: Schema.String,
}) {}

export interface NodeOptions {
  readonly mode: "dev" | "serve";
  readonly configFile: string | undefined;
  readonly dataDirectory: string | undefined;
  /** `host:port`, `:port` or `port`. */
  readonly listen: string | undefined;
  /** The same, of the control address. */
  readonly controlListen: string | undefined;
  readonly jobsFile: string | undefined;
  /** Started for drills; undefined: as the settings say. */
  readonly drill?: boolean | undefined;
}

const startError = (error: { readonly message: string }) => new NodeStartError({ message: error.message });
/** So long a start waits for the audit log. Until it is open, no change is taken. */
const auditMillisMax = 3_000;
/** How long a write of receipts may take. */
const receiptMillisMax = 5_000;
/** How long to wait for partitions that another owner may hold before saying that the node is ready all the same. */
const ownedMillisMax = 15_000;

/**
 * Runs a node until it is interrupted; then it drains: no new request, open batches pushed, books written, NATS
 * stopped.
 */
export const runNode = (options: NodeOptions): Effect.Effect<void, NodeStartError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const loaded = yield* loadSettings(sourcesOf(options)).pipe(Effect.mapError(startError));
      const settings = { ...loaded, limits: withResidency(loaded.limits) };
      const embedded = settings.embedded ? yield* startEmbedded(settings) : undefined;
      const servers = embedded?.url ?? settings.nats.servers;
      const nats = Nats.layer({ servers, name: settings.nodeName, token: settings.nats.token });
      const layer = layerNode({ ...settings, replicas: settings.nats.replicas }).pipe(Layer.provideMerge(nats));
      const drill = yield* makeNodeDrill(settings.drill, { node: settings.nodeName, roles: settings.roles });
      return yield* Effect.gen(function* () {
        const context = yield* Layer.build(layer).pipe(
          Effect.mapError((error) => startError(describe(error, servers))),
        );
        return yield* operate(settings, options, embedded, drill).pipe(Effect.provideContext(context));
      }).pipe(Effect.provideService(DrillFaults, drill.switches));
    }),
  );

/** 0 leaves it to us: what this machine, or this container, and this heap are good for. */
const withResidency = (limits: Limits): Limits => {
  if (limits.residentBuffersMax > 0) return limits;
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const { heap_size_limit: heap } = getHeapStatistics();
  return { ...limits, residentBuffersMax: residentBuffersDefault(memory, heap) };
};

const sourcesOf = ({
  configFile,
  controlListen,
  dataDirectory,
  drill,
  listen,
  mode,
}: NodeOptions): SettingsSources => ({
  ...(mode === "dev" ? { profile: "development" } : {}),
  ...(configFile === undefined ? {} : { configFile }),
  overrides: {
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    ...(listen === undefined ? {} : { listen: addressOf(listen) }),
    ...(drill === undefined ? {} : { drill }),
    ...(controlListen === undefined ? {} : { controlListen: addressOf(controlListen) }),
  },
});

const addressOf = (written: string) =>
  written.includes(":") ? written.replace(/^:/, "127.0.0.1:") : `127.0.0.1:${written}`;

const describe = (
  error: { readonly _tag: string; readonly detail?: string; readonly message?: string },
  servers: string,
) => ({
  message:
    error._tag === "NatsError"
      ? `NATS at ${servers} does not answer as it should: ${error.detail}. Is it running, with JetStream?`
      : (error.message ?? error.detail ?? error._tag),
});

const startEmbedded = (settings: Settings): Effect.Effect<EmbeddedServer, NodeStartError, Scope.Scope> =>
  startEmbeddedServer({
    dataDirectory: settings.dataDirectory,
    fileStoreBytesMax: fileStoreBytes({ ...settings.limits, partitions: settings.partitions }),
    messageBytesMax: settings.limits.messageBytesMax,
  }).pipe(
    Effect.tap(({ url, version }) => Effect.logInfo("nats-server runs.", { url, version })),
    Effect.mapError(startError),
  );

const operate = Effect.fnUntraced(function* (
  settings: Settings,
  options: NodeOptions,
  embedded: EmbeddedServer | undefined,
  drill: NodeDrill,
) {
  const owner = yield* Owner;
  const owns = settings.roles.includes("owner");
  // Read on every node, so that a bad file is told of where it is; in force is what the configuration says.
  const files = yield* loadCatalogue(settings.datasetsDirectory).pipe(Effect.mapError(startError));
  const configuration = yield* NodeConfiguration;
  const datasets = servedDatasets(configuration.serving);
  const refusals = new RefusalPeriods({ ...settings.limits, nodeName: settings.nodeName });
  const refusalReceipts = yield* keepRefusalReceipts(refusals, yield* makeRefusalReceipts(receiptMillisMax));
  const ingest = yield* makeIngest({
    limits: settings.limits,
    datasets,
    refusals,
    whyNotServing: () => whyNotServing(configuration),
  });
  const view = yield* makeNodeView({
    partitions: owns ? settings.partitions : 0,
    version: {
      spillway: packageVersion(),
      node: process.version,
      natsServer: embedded?.version,
    },
    door: (): ReadonlyArray<DoorReport> => ingest.door(),
  });
  const limits = yield* makeLimitsView({
    limits: settings.limits,
    defaults: yield* limitDefaults,
    requestBytes: ingest.inFlightBytes,
  });
  const alerts = yield* startAlerts({ ...settings, requestBytes: ingest.inFlightBytes }).pipe(
    Effect.mapError(startError),
  );
  const draining = { now: false };
  const admin = yield* makeJobsAdmin(settings);
  const transactions = yield* makeJobTransactions(settings);
  const deadLetters = yield* makeDeadLettersAdmin(settings.limits);
  const replays = yield* makeReplaysAdmin;
  const switches = yield* makeSwitchesAdmin(settings);
  const buffers = yield* makeBuffersView;
  const receipts = yield* makeReceiptsView({ ...settings.limits, partitions: settings.partitions });
  const commands = yield* makeBufferCommands({ ...settings.limits, partitions: settings.partitions });
  const auditLog = yield* openAudit(settings);
  yield* noteEndedSwitches(auditLog);
  yield* reportConfig(settings.nodeName, new RolloutSignals(owner.owned), settings.roles);
  if (settings.roles.includes("control")) {
    const catalogue = yield* watchCatalogue(settings.datasetsDirectory, files.all);
    yield* runControl({ ...settings, catalogue, audit: auditLog.append });
  }
  const configControl = yield* makeConfigControl;
  yield* tellAlerts(settings.nodeName).pipe(Effect.provideService(ConfigControl, configControl));
  if (options.jobsFile !== undefined) {
    yield* applyJobsAtStart(options.jobsFile, settings, auditLog).pipe(Effect.mapError(startError));
  }
  yield* awaitOwned(owns ? settings.partitions : 0);
  const api = yield* serveApi({
    host: settings.listen.host,
    port: settings.listen.port,
    token: settings.token,
    ingest: settings.roles.includes("forwarder") ? ingest.handle : undefined,
    inspection: { buffers: yield* makeInspectableBuffers, limits: settings.limits },
  }).pipe(
    Effect.provideService(NodeView, unreadyWhen(draining, view)),
    Effect.provideService(JobsAdmin, admin),
    Effect.provideService(JobHistory, yield* makeJobHistory(settings)),
    Effect.provideService(JobTransactions, transactions),
    Effect.provideService(DeadLettersAdmin, deadLetters),
    Effect.provideService(ReplaysAdmin, replays),
    Effect.provideService(SwitchesAdmin, switches),
    Effect.provideService(BuffersView, buffers),
    Effect.provideService(BufferCommands, commands),
    Effect.provideService(ReceiptsView, receipts),
    Effect.provideService(AuditTrail, auditTrailOf(auditLog)),
    Effect.provideService(ConfigControl, configControl),
    Effect.provideService(LimitsView, limits),
    Effect.provideService(AlertsView, alerts),
    Effect.provideService(DrillAdmin, yield* drill.admin((name) => name in settings.limits)),
    Effect.provideService(DatasetsView, {
      report: () => ({ number: datasets.number(), datasets: datasets.all() }),
    }),
    Effect.provideService(HostsView, { list: (yield* DestinationHosts).hosts }),
    Effect.mapError(startError),
  );
  const control = yield* startControl(settings, api, drill);
  // The last finalizer is the first to run: while everything below it still works, the control address included.
  yield* Effect.addFinalizer(() =>
    shutDown(api, Effect.andThen(ingest.close, refusalReceipts.finish), owner.drain, draining),
  );
  yield* Console.log(`spillway is ready at ${api.url}\nspillway answers for itself at ${control.url}`);
  return yield* Effect.never;
});

const openAudit = Effect.fnUntraced(function* ({ limits, nats, nodeName }: Settings) {
  const opening = yield* keepOpening("audit", createAuditStream({ ...limits, replicas: nats.replicas }));
  yield* opening.awaitOpen(auditMillisMax).pipe(Effect.mapError(startError));
  return yield* bindAuditLog({ nodeName }, opening.opened);
});

const startControl = (settings: Settings, api: Served, drill: NodeDrill) =>
  Effect.flatMap(watchSwitchCounts, (switches) =>
    startControlThread({
      switches,
      ...settings.controlListen,
      orAnyPort: settings.controlListen.derived,
      token: settings.token,
      dataUrl: api.url,
      limits: settings.limits,
      answer: api.answer,
      health: () => {
        const state = drill.now();
        return state === undefined ? {} : { drill: true, ...state };
      },
    }),
  ).pipe(
    Effect.tap(({ healthChanged }) => Effect.sync(() => drill.onChange(healthChanged))),
    Effect.mapError(startError),
  );

/** The control address still answers while the node drains: it must not call the node ready. */
const unreadyWhen = (draining: { readonly now: boolean }, view: NodeView["Service"]): NodeView["Service"] => ({
  ...view,
  readiness: Effect.map(view.readiness, (checks) =>
    draining.now ? [...checks, { name: "draining", ready: false, detail: "the node is about to end" }] : checks,
  ),
});

const shutDown = (
  api: Served,
  closeDoor: Effect.Effect<void>,
  drain: Effect.Effect<void>,
  draining: { now: boolean },
) =>
  Effect.gen(function* () {
    draining.now = true;
    yield* Effect.logInfo("Draining: no new requests; what is open is pushed.");
    yield* api.stopAccepting;
    yield* closeDoor;
    yield* drain;
    yield* Effect.logInfo("Drained.");
  });

const awaitOwned = Effect.fnUntraced(function* (partitions: number) {
  const owner = yield* Owner;
  const all = yield* Effect.sync(() => owner.owned().size === partitions).pipe(
    Effect.tap((done) => (done ? Effect.void : Effect.sleep(20))),
    Effect.repeat({ until: (done) => done }),
    Effect.timeoutOption(ownedMillisMax),
  );
  if (Option.isNone(all)) {
    yield* Effect.logWarning("Not every partition could be claimed yet.", { owned: owner.owned().size, partitions });
  }
});
