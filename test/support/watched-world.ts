import { Effect } from "effect";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import type { Buffer as JobBuffer } from "../../src/actors/buffer/buffer.ts";
import { bufferMachine } from "../../src/actors/buffer/machine.ts";
import { tokenHashOf } from "../../src/api/access.ts";
import { answerInspectPage, isInspectPage } from "../../src/api/inspect-page.ts";
import { attachInspection, type InspectionLimits } from "../../src/api/inspect-socket.ts";
import { inspectableOf } from "../../src/node/inspectable-buffers.ts";
import { definitionOf } from "../../src/observability/inspection/definition.ts";
import type { Frame } from "../../src/observability/inspection/frame.ts";
import { limits } from "./world.ts";

/** Buffers by job that can be watched on a bare HTTP server. */
export const serveWatched = Effect.fnUntraced(function* (
  buffers: ReadonlyMap<string, JobBuffer | "resting">,
  over: Partial<InspectionLimits> & { readonly token?: string; readonly definition?: string } = {},
) {
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const created = createServer((request, response) => {
        if (isInspectPage(request)) return answerInspectPage(response);
        const isRefused = over.token !== undefined && request.headers.authorization !== `Bearer ${over.token}`;
        response.writeHead(isRefused ? 401 : 200).end(JSON.stringify({ path: request.url }));
      });
      created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)));
    }),
    (open) =>
      Effect.sync(() => {
        open.close();
        open.closeAllConnections();
      }),
  );
  yield* attachInspection(server, {
    policy: { tokenHash: over.token === undefined ? undefined : tokenHashOf(over.token) },
    limits: { ...limits, ...over },
    buffers: {
      definition: over.definition ?? definitionOf(bufferMachine),
      find: (job) => {
        const buffer = buffers.get(job);
        if (buffer === undefined) return undefined;
        return buffer === "resting"
          ? { actor: undefined, rest: "hibernated", recent: () => [], figures: () => undefined }
          : inspectableOf(buffer);
      },
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

/** A watcher that keeps what it is sent. */
export interface Watcher {
  readonly socket: WebSocket;
  readonly frames: Array<Frame>;
  readonly closed: () => { readonly code: number; readonly reason: string } | undefined;
  /** The status of a refused handshake. */
  readonly refused: () => number | undefined;
}

export const watch = (
  url: string,
  job: string,
  options: { readonly headers?: Record<string, string>; readonly protocols?: Array<string> } = {},
) =>
  Effect.acquireRelease(
    Effect.sync((): Watcher => {
      const { headers = {}, protocols = [] } = options;
      const socket = new WebSocket(`${url.replace("http", "ws")}/v1/buffers/${job}/inspect`, protocols, { headers });
      const frames: Array<Frame> = [];
      let closed: { code: number; reason: string } | undefined;
      let refused: number | undefined;
      socket.on("error", () => {});
      socket.on("unexpected-response", (_, response) => {
        refused = response.statusCode;
        response.destroy();
      });
      socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
      socket.on("close", (code, reason) => (closed = { code, reason: reason.toString() }));
      return { socket, frames, closed: () => closed, refused: () => refused };
    }),
    ({ socket }) => Effect.sync(() => socket.terminate()),
  );

/** Polls until it answers something, for at most ten seconds. */
export const eventually = <A>(what: string, probe: () => A | undefined | false): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 1_000; turn++) {
      const found = probe();
      if (found !== undefined && found !== false) return found;
      yield* Effect.sleep(10);
    }
    return yield* Effect.die(new Error(`never came: ${what}`));
  });

export const framesOfType = <T extends Frame["type"]>(frames: ReadonlyArray<Frame>, type: T) =>
  frames.filter((frame): frame is Extract<Frame, { readonly type: T }> => frame.type === type);
