import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { ByteSize, Effect, Layer, Redacted, Schema, type Scope } from "effect";
import { HttpIncomingMessage, HttpRouter, HttpServerResponse } from "effect/http";
import { HttpApiBuilder, OpenApi } from "effect/http-api";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type AccessPolicy, type Denial, denialOf, isLoopbackHost, pathOf, tokenHashOf } from "./access.ts";
import { DocumentedApi, openapiPath, SpillwayApi } from "./contract.ts";
import type { DeadLettersAdmin } from "./dead-letters-port.ts";
import { DeadLettersHandlers } from "./handlers/dead-letters.ts";
import { HealthHandlers } from "./handlers/health.ts";
import { jobBytesMax, JobsHandlers } from "./handlers/jobs.ts";
import { NodeHandlers } from "./handlers/node.ts";
import { ReplaysHandlers } from "./handlers/replays.ts";
import { answerInspectPage, isInspectPage } from "./inspect-page.ts";
import { attachInspection, type InspectionOptions } from "./inspect-socket.ts";
import type { IngestHandler, JobsAdmin, NodeView } from "./ports.ts";
import type { ReplaysAdmin } from "./replays-port.ts";
import { answerRefusals } from "./refusals.ts";

/** The node cannot listen as it was told to; `message` says what to do. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  reason: Schema.Literals(["token-required", "address-in-use", "not-permitted", "bad-address", "other"]),
  message: Schema.String,
}) {}

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
  /** No new connection; idle ones are closed, busy ones after the answer. */
  readonly stopAccepting: Effect.Effect<void>;
}

/**
 * The node's one HTTP server. `POST /v1/ingest/{dataset}` goes straight to the forwarder's handler, everything else
 * through Effect's router. Ends with its scope.
 */
export const serveApi = Effect.fn("api.serve")(function* (
  options: ServeOptions,
): Effect.fn.Return<Served, ListenError, NodeView | JobsAdmin | DeadLettersAdmin | ReplaysAdmin | Scope.Scope> {
  if (options.token === undefined && !isLoopbackHost(options.host)) {
    return yield* new ListenError({
      reason: "token-required",
      message:
        `Listening on ${options.host} needs a token, because others can reach it: ` +
        "set SPILLWAY_TOKEN, or listen on 127.0.0.1.",
    });
  }
  const policy: AccessPolicy = {
    tokenHash: options.token === undefined ? undefined : tokenHashOf(Redacted.value(options.token)),
  };
  const routed = yield* routedHandler;
  const server = yield* listening(options);
  const state = { closing: false };
  const answer = dispatch(policy, options.ingest, routed, state);
  server.on("request", answer);
  // A client that asks first learns of a refusal before it sends its body.
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const denial = denialOf(policy, { url: request.url ?? "/", headers: request.headers });
    // The door says for itself whether it wants the body: 413, 415 and 503 come before 100.
    const isIngest = request.method === "POST" && ingestPath.test(pathOf(request.url ?? "/"));
    if (denial === undefined && !isIngest) response.writeContinue();
    answer(request, response);
  });
  server.on("clientError", refuseMalformed);
  if (options.inspection !== undefined) yield* attachInspection(server, { ...options.inspection, policy });
  return {
    url: urlOf(options.host, server),
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
      Layer.provide([JobsHandlers, NodeHandlers, HealthHandlers, DeadLettersHandlers, ReplaysHandlers]),
    ),
    HttpRouter.add("GET", openapiPath, documentation),
  ).pipe(Layer.provide(NodeHttpServer.layerHttpServices));
  const app = yield* HttpRouter.toHttpEffect(routes);
  return yield* NodeHttpServer.makeHandler(
    answerRefusals(app).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(jobBytesMax))),
    { scope },
  );
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

const refuse = (
  response: ServerResponse,
  { status, code, message }: Omit<Denial, "status"> & { readonly status: number },
) => {
  const headers = status === 401 ? { "www-authenticate": 'Bearer realm="spillway"' } : {};
  const body = JSON.stringify({ error: { code, message } });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
};

/** Bounds on what a client may hold open. */
const headerBytesMax = 16_384;
const headersMillisMax = 10_000;
const requestMillisMax = 60_000;
const keepAliveMillisMax = 75_000;
const connectionsMax = 4_096;
const closeMillisMax = 1_000;

const listening = (options: ServeOptions): Effect.Effect<Server, ListenError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, ListenError>((resume) => {
      const server = createServer({
        maxHeaderSize: headerBytesMax,
        headersTimeout: headersMillisMax,
        requestTimeout: requestMillisMax,
        keepAliveTimeout: keepAliveMillisMax,
        connectionsCheckingInterval: 5_000,
      });
      server.maxConnections = connectionsMax;
      const fail = (error: NodeJS.ErrnoException) => resume(Effect.fail(listenError(options, error)));
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

const listenError = ({ host, port }: ServeOptions, error: NodeJS.ErrnoException): ListenError => {
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError({
        reason: "address-in-use",
        message: `Port ${port} of ${host} is taken: end the program that holds it, or choose another with --listen.`,
      });
    case "EACCES":
      return new ListenError({
        reason: "not-permitted",
        message: `Port ${port} needs more rights than this process has: choose one above 1023 with --listen.`,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ListenError({
        reason: "bad-address",
        message: `${host} is not an address of this machine: choose another with --listen.`,
      });
    default:
      return new ListenError({ reason: "other", message: `Cannot listen on ${host}:${port}: ${error.message}` });
  }
};

const bareHost = (host: string) => host.replace(/^\[(.*)\]$/, "$1");

const urlOf = (host: string, server: Server): string => {
  const { port } = server.address() as AddressInfo;
  const name = bareHost(host);
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
};

/** What is not HTTP, or not in time, has no request to answer: written to the socket as it is. */
const refuseMalformed = (error: NodeJS.ErrnoException, socket: Socket) => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  const body = JSON.stringify({ error: { code: "malformed_request", message: status.slice(4) } });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
};
