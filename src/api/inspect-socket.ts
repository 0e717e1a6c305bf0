import { Clock, Effect, type Scope } from "effect";
import { STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { InspectableBuffers } from "../observability/inspection/inspectable.ts";
import { closings, inspectProtocol } from "../observability/inspection/protocol.ts";
import { type FrameSink, Watch } from "../observability/inspection/watch.ts";
import { type AccessPolicy, type Denial, denialOf, isOwnOrigin, pathOf } from "./access.ts";

/** `GET /v1/buffers/{job}/inspect`: live state of one buffer over a WebSocket. See docs/OPERATING.md, "Inspection". */

export interface InspectionLimits {
  /** Most watchers of one node. */
  readonly inspectorsMax: number;
  /** What may wait in a watcher's socket; beyond it the watcher loses frames. */
  readonly inspectorBufferedBytesMax: number;
  /** Frames a second to one watcher; beyond it the watcher loses frames. */
  readonly inspectorFramesPerSecondMax: number;
}

export interface InspectionOptions {
  readonly policy: AccessPolicy;
  readonly buffers: InspectableBuffers;
  readonly limits: InspectionLimits;
}

const watchPath = /^\/v1\/buffers\/([^/]+)\/inspect$/;
/** How soon a crashed buffer's next actor is found. */
const tickMillis = 250;
const ticksPerFigures = 4;
/** A watcher that has not answered a ping by the next one is gone. */
const ticksPerPing = 60;
/** A watcher has nothing to say. */
const messageBytesMax = 1_024;

interface Watcher {
  readonly socket: WebSocket;
  readonly watch: Watch;
  readonly refill: () => void;
  isAlive: boolean;
}

/** Lets people watch buffers on this server, until the scope closes. */
export const attachInspection = Effect.fnUntraced(function* (
  server: Server,
  options: InspectionOptions,
): Effect.fn.Return<void, never, Scope.Scope> {
  if (!takeOverUpgrades(server)) {
    return yield* Effect.logWarning("Inspection needs Node 24.9 or newer: buffers cannot be watched on this node.");
  }
  const clock = yield* Clock.Clock;
  const nowMillis = () => clock.currentTimeMillisUnsafe();
  const watchers = new Set<Watcher>();
  const sockets = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new WebSocketServer({
          noServer: true,
          maxPayload: messageBytesMax,
          perMessageDeflate: false,
          // Never echoes the other one: it holds the token.
          handleProtocols: (offered) => (offered.has(inspectProtocol) ? inspectProtocol : false),
        }),
    ),
    (open) =>
      Effect.sync(() => {
        for (const watcher of watchers) end(watcher, watchers, closings.stopping, "the node stops");
        open.close();
      }),
  );
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    const denial = inspectDenialOf(options.policy, request);
    if (denial !== undefined) return refuseUpgrade(socket, denial);
    const job = jobOf(request.url ?? "/");
    sockets.handleUpgrade(request, socket, head, (open) => begin(open, job, watchers, options, nowMillis));
  };
  yield* Effect.acquireRelease(
    Effect.sync(() => void server.on("upgrade", onUpgrade)),
    () => Effect.sync(() => void server.off("upgrade", onUpgrade)),
  );
  yield* Effect.forkScoped(tickForever(watchers));
});

/**
 * With a listener for upgrades Node would give it every request that offers one, and Java's HTTP client offers `h2c`
 * with each: only what is ours may be taken.
 */
const takeOverUpgrades = (server: Server): boolean => {
  if (!("shouldUpgradeCallback" in server)) return false;
  server.shouldUpgradeCallback = (request: IncomingMessage) =>
    request.headers.upgrade?.toLowerCase() === "websocket" && watchPath.test(pathOf(request.url ?? "/"));
  return true;
};

const jobOf = (url: string): string => watchPath.exec(pathOf(url))?.[1] ?? "";

/** The same rule as for every other route; and no page of another site, whatever token it has got hold of. */
const inspectDenialOf = (policy: AccessPolicy, request: IncomingMessage): Denial | undefined => {
  const { headers } = request;
  const authorization = headers.authorization ?? authorizationOffered(headers["sec-websocket-protocol"]);
  const rule = { url: request.url ?? "/", headers: { ...headers, ...(authorization ? { authorization } : {}) } };
  const denial = denialOf(policy, rule);
  if (denial !== undefined) return denial;
  if (headers.origin === undefined || isOwnOrigin(headers.origin, headers.host)) return undefined;
  return { status: 403, code: "origin_not_allowed", message: "Requests from pages of other sites are refused." };
};

/** A browser cannot set headers on a WebSocket: its token comes as an offered subprotocol, which no log has. */
const authorizationOffered = (protocols: string | undefined): string | undefined => {
  const offered = protocols?.split(",").map((each) => each.trim());
  const bearer = offered?.find((each) => each.startsWith("bearer."))?.slice("bearer.".length);
  return bearer === undefined ? undefined : `Bearer ${Buffer.from(bearer, "base64url").toString()}`;
};

const refuseUpgrade = (socket: Duplex, { code, message, status }: Denial): void => {
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};

const begin = (
  socket: WebSocket,
  job: string,
  watchers: Set<Watcher>,
  { buffers, limits }: InspectionOptions,
  nowMillis: () => number,
): void => {
  socket.on("error", () => socket.terminate());
  if (watchers.size >= limits.inspectorsMax) {
    return socket.close(closings.tooMany, `${limits.inspectorsMax} watchers are connected already (inspectorsMax)`);
  }
  const { refill, sink } = sinkOf(socket, limits);
  const watch = new Watch(job, buffers, sink, nowMillis);
  if (!watch.check()) {
    watch.close();
    return socket.close(closings.gone, `there is no push job ${job.slice(0, 64)} on this node`);
  }
  watch.sendFigures();
  const watcher: Watcher = { socket, watch, refill, isAlive: true };
  watchers.add(watcher);
  socket.on("pong", () => void (watcher.isAlive = true));
  socket.on("close", () => {
    watch.close();
    watchers.delete(watcher);
  });
};

/** Refilled four times a second with a quarter of what a second may have. */
const sinkOf = (socket: WebSocket, limits: InspectionLimits): { sink: FrameSink; refill: () => void } => {
  let left = limits.inspectorFramesPerSecondMax;
  const share = Math.ceil((limits.inspectorFramesPerSecondMax * tickMillis) / 1_000);
  return {
    sink: {
      isReady: () =>
        left > 0 && socket.readyState === socket.OPEN && socket.bufferedAmount < limits.inspectorBufferedBytesMax,
      send: (frame) => {
        left -= 1;
        socket.send(JSON.stringify(frame));
      },
    },
    refill: () => void (left = Math.min(limits.inspectorFramesPerSecondMax, Math.max(left, 0) + share)),
  };
};

/** One fiber for all watchers; there are few. */
const tickForever = Effect.fnUntraced(function* (watchers: Set<Watcher>): Effect.fn.Return<never> {
  for (let turn = 1; ; turn += 1) {
    yield* Effect.sleep(tickMillis);
    for (const watcher of watchers) tick(watcher, turn, watchers);
  }
});

const tick = (watcher: Watcher, turn: number, watchers: Set<Watcher>): void => {
  watcher.refill();
  if (!watcher.watch.check()) return end(watcher, watchers, closings.gone, "the push job has left this node");
  if (turn % ticksPerFigures === 0) watcher.watch.sendFigures();
  if (turn % ticksPerPing !== 0) return;
  if (!watcher.isAlive) return watcher.socket.terminate();
  watcher.isAlive = false;
  watcher.socket.ping();
};

/** Detached at once: the closing handshake may take as long as the other side likes. */
const end = ({ socket, watch }: Watcher, watchers: Set<Watcher>, code: number, reason: string): void => {
  watch.close();
  for (const each of watchers) if (each.socket === socket) watchers.delete(each);
  socket.close(code, reason);
};
