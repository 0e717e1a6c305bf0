import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { ByteSize, Effect, Layer, Redacted, type Scope } from "effect";
import { HttpEffect, HttpIncomingMessage, HttpRouter, HttpServerResponse } from "effect/http";
import { HttpApiBuilder, OpenApi } from "effect/http-api";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AlertsView } from "./alerts-port.ts";
import { type AccessPolicy, denialOf, pathOf, tokenHashOf } from "./access.ts";
import { bareHost, boundedServer, refuse, urlOf } from "./bounded-server.ts";
import type { BufferCommands, BuffersView } from "./buffers-port.ts";
import { DocumentedApi, openapiPath, SpillwayApi } from "./contract.ts";
import type { DeadLettersAdmin } from "./dead-letters-port.ts";
import { BuffersHandlers } from "./handlers/buffers.ts";
import type { DrillAdmin } from "./drill-port.ts";
import { DrillHandlers } from "./handlers/drill.ts";
import { DeadLettersHandlers } from "./handlers/dead-letters.ts";
import { HealthHandlers } from "./handlers/health.ts";
import { jobBytesMax, JobsHandlers } from "./handlers/jobs.ts";
import { JobHistoryHandlers } from "./handlers/job-history.ts";
import { JobTransactionsHandlers } from "./handlers/job-transactions.ts";
import { NodeHandlers } from "./handlers/node.ts";
import { ReceiptsHandlers } from "./handlers/receipts.ts";
import { AuditHandlers } from "./handlers/audit.ts";
import { ConfigHandlers } from "./handlers/config.ts";
import { ConfigControl } from "./config-port.ts";
import { SwitchesHandlers } from "./handlers/switches.ts";
import { AuditTrail } from "./audit-port.ts";
import { audited } from "./audited.ts";
import { ReplaysHandlers } from "./handlers/replays.ts";
import { answerInspectPage, isInspectPage } from "./inspect-page.ts";
import { attachInspection, type InspectionOptions } from "./inspect-socket.ts";
import { type ListenError, listenError, tokenRequired } from "./listen-error.ts";
import type { DatasetsView } from "./datasets-port.ts";
import type { HostsView } from "./hosts-port.ts";
import type { LimitsView } from "./limits-port.ts";
import type { JobHistory } from "./job-history-port.ts";
import type { JobTransactions } from "./job-transactions-port.ts";
import type { IngestHandler, JobsAdmin, NodeView } from "./ports.ts";
import type { ReplaysAdmin } from "./replays-port.ts";
import type { ReceiptsView } from "./receipts-port.ts";
import type { SwitchesAdmin } from "./switches-port.ts";
import { answerRefusals } from "./refusals.ts";
import type { RoutedAnswer, RoutedRequest } from "./routed-request.ts";

export interface ServeOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly token: Redacted.Redacted | undefined;
  /** Undefined on a node without the forwarder role. */
  readonly ingest: IngestHandler | undefined;
  /** Undefined where no buffers can be watched. */
  readonly inspection?: Omit<InspectionOptions, "policy"> | undefined;
}

export interface Served {
  readonly url: string;
  /** For what needs the sockets of the data address: upgrades to WebSocket. It has checked nothing yet by then. */
  readonly server: Server;
  /** Answers what has come in elsewhere, after the access check there. Goes on after `stopAccepting`. */
  readonly answer: (request: RoutedRequest) => Effect.Effect<RoutedAnswer>;
  /** No new connection; idle ones are closed, busy ones after the answer. */
  readonly stopAccepting: Effect.Effect<void>;
}

/**
 * The node's data address, on the main thread. `POST /v1/ingest/{dataset}` goes straight to the forwarder's handler,
 * everything else through Effect's router, which also answers for the control thread. Ends with its scope.
 */
export const serveApi = Effect.fn("api.serve")(function* (
  options: ServeOptions,
): Effect.fn.Return<
  Served,
  ListenError,
  | NodeView
  | JobsAdmin
  | JobHistory
  | JobTransactions
  | DeadLettersAdmin
  | ReplaysAdmin
  | BuffersView
  | BufferCommands
  | ReceiptsView
  | AuditTrail
  | ConfigControl
  | DrillAdmin
  | SwitchesAdmin
  | LimitsView
  | DatasetsView
  | HostsView
  | AlertsView
  | Scope.Scope
> {
  const refused = tokenRequired(options.host, options.token !== undefined);
  if (refused !== undefined) return yield* refused;
  const policy: AccessPolicy = {
    tokenHash: options.token === undefined ? undefined : tokenHashOf(Redacted.value(options.token)),
  };
  const routed = yield* routedHandler;
  const server = yield* listening(options);
  const state = { closing: false };
  const answer = dispatch(policy, options.ingest, routed.onSocket, state);
  server.on("request", answer);
  // A client that asks first learns of a refusal before it sends its body.
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const denial = denialOf(policy, { url: request.url ?? "/", headers: request.headers });
    // The door says for itself whether it wants the body: 413, 415 and 503 come before 100.
    const isIngest = request.method === "POST" && ingestPath.test(pathOf(request.url ?? "/"));
    if (denial === undefined && !isIngest) response.writeContinue();
    answer(request, response);
  });
  if (options.inspection !== undefined) yield* attachInspection(server, { ...options.inspection, policy });
  return {
    url: urlOf(options.host, server),
    server,
    answer: routed.onMessage,
    stopAccepting: Effect.sync(() => {
      state.closing = true;
      server.close();
      server.closeIdleConnections();
    }),
  };
});

const routedHandler = Effect.gen(function* () {
  const scope = yield* Effect.scope;
  const documentation = HttpServerResponse.jsonUnsafe(OpenApi.fromApi(DocumentedApi));
  const routes = Layer.mergeAll(
    HttpApiBuilder.layer(SpillwayApi).pipe(
      Layer.provide([
        JobsHandlers,
        JobHistoryHandlers,
        JobTransactionsHandlers,
        NodeHandlers,
        HealthHandlers,
        DeadLettersHandlers,
        ReplaysHandlers,
        BuffersHandlers,
        ReceiptsHandlers,
        AuditHandlers,
        ConfigHandlers,
        DrillHandlers,
        SwitchesHandlers,
      ]),
    ),
    HttpRouter.add("GET", openapiPath, documentation),
  ).pipe(Layer.provide(NodeHttpServer.layerHttpServices));
  const app = yield* HttpRouter.toHttpEffect(routes);
  const bounded = audited(yield* AuditTrail)(answerRefusals(app)).pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(jobBytesMax)),
  );
  const onSocket = yield* NodeHttpServer.makeHandler(bounded, { scope });
  const handler = HttpEffect.toWebHandler(bounded);
  // Loggers and clock are in it.
  const context = yield* Effect.context();
  const onWeb = (request: Request) => handler(request, context);
  return { onSocket, onMessage: (request: RoutedRequest) => answerMessage(onWeb, request) };
});

const answerMessage = (onWeb: (request: Request) => Promise<Response>, asked: RoutedRequest) =>
  Effect.promise(async (signal): Promise<RoutedAnswer> => {
    const { body, headers, method, url } = asked;
    // The name is of no importance: the router looks at path and query.
    const request = new Request(`http://localhost${url}`, { method, headers, signal, body: body ?? null });
    const response = await onWeb(request);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  });

type RawHandler = (request: IncomingMessage, response: ServerResponse) => void;

const dispatch =
  (
    policy: AccessPolicy,
    ingest: IngestHandler | undefined,
    routed: RawHandler,
    state: { readonly closing: boolean },
  ): RawHandler =>
  (request, response) => {
    const url = request.url ?? "/";
    if (state.closing) response.setHeader("connection", "close");
    // Before the token is asked for: the page holds no data, and asks for the token itself.
    if (isInspectPage(request)) return answerInspectPage(response);
    const denial = denialOf(policy, { url, headers: request.headers });
    if (denial !== undefined) return refuse(response, denial);
    const dataset = request.method === "POST" ? ingestPath.exec(pathOf(url))?.[1] : undefined;
    if (dataset === undefined) return routed(request, response);
    // Ids are ASCII without `%`: an encoded name is passed on as it came, and refused as an id.
    if (ingest !== undefined) return ingest(request, response, dataset);
    refuse(response, { status: 404, code: "no_forwarder", message: "This node does not run the forwarder role." });
  };

const ingestPath = /^\/v1\/ingest\/([^/]+)$/;

/** Bounds on what clients may hold open. */
const connectionsMax = 4_096;
const closeMillisMax = 1_000;

const listening = (options: ServeOptions): Effect.Effect<Server, ListenError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, ListenError>((resume) => {
      const server = boundedServer(connectionsMax);
      const fail = (error: NodeJS.ErrnoException) =>
        resume(Effect.fail(listenError({ host: options.host, port: options.port, flag: "--listen" }, error)));
      server.once("error", fail);
      server.listen({ host: bareHost(options.host), port: options.port }, () => {
        server.off("error", fail);
        resume(Effect.succeed(server));
      });
      return Effect.sync(() => server.close());
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void));
        server.closeIdleConnections();
      }).pipe(Effect.timeoutOption(closeMillisMax), Effect.andThen(Effect.sync(() => server.closeAllConnections()))),
  );
