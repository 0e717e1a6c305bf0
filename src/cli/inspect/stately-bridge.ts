import { Effect, type Scope } from "effect";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import type { Frame } from "../../observability/inspection/frame.ts";
import { type CommandFailure, failed } from "../command-failure.ts";

/**
 * What `createInspectorServer` of `@statelyai/inspect` does: a page with Stately's inspector in a frame, and a
 * WebSocket that anything which speaks its format can listen to. It needs no network by itself; the developer's browser
 * does, for the inspector.
 */
export interface StatelyBridge {
  readonly url: string;
  /** Passes on what the format has: actors, events and snapshots. */
  readonly forward: (frame: Frame, text: string) => void;
}

/** The default of `@statelyai/inspect`. */
const hostedInspector = "https://stately.ai/inspect";
const known: ReadonlySet<Frame["type"]> = new Set(["@xstate.actor", "@xstate.event", "@xstate.snapshot"]);
/** For a page that is opened later, after the actor itself, which is always told first. */
const keptMax = 200;
const waitingBytesMax = 4 * 1_048_576;
const listenersMax = 8;

export const openStatelyBridge = Effect.fnUntraced(function* (
  port: number,
  inspectorUrl = hostedInspector,
): Effect.fn.Return<StatelyBridge, CommandFailure, Scope.Scope> {
  const page = pageOf(inspectorUrl);
  const server = yield* listening(port, page);
  const sockets = new WebSocketServer({
    server,
    maxPayload: 1_024,
    verifyClient: isFromHere,
    perMessageDeflate: false,
  });
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    }),
  );
  let actor: string | undefined;
  let kept: Array<string> = [];
  sockets.on("connection", (socket) => {
    socket.on("error", () => socket.terminate());
    if (sockets.clients.size > listenersMax) return socket.close(1_013);
    if (actor !== undefined) socket.send(actor);
    for (const text of kept) socket.send(text);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forward: ({ type }, text) => {
      if (!known.has(type)) return;
      if (type === "@xstate.actor") [actor, kept] = [text, []];
      else kept = [...kept.slice(1 - keptMax), text];
      for (const socket of sockets.clients) {
        if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < waitingBytesMax) socket.send(text);
      }
    },
  };
});

const listening = (port: number, page: Page): Effect.Effect<Server, CommandFailure, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, CommandFailure>((resume) => {
      const server = createServer((request, response) => answer(request, response, page));
      server.once("error", (error: NodeJS.ErrnoException) =>
        resume(failed(`port ${port} cannot be used for Stately's inspector (${error.code}): choose --stately-port`)),
      );
      server.listen({ host: "127.0.0.1", port }, () => resume(Effect.succeed(server)));
    }),
    (server) =>
      Effect.sync(() => {
        server.close();
        server.closeAllConnections();
      }),
  );

const isLocalHost = (host: string | undefined): boolean => /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(host ?? "");

/** Programs on this machine may listen, and our own page; pages of other sites may not. */
const isFromHere = ({ req }: { readonly req: IncomingMessage }): boolean => {
  const { host, origin } = req.headers;
  return isLocalHost(host) && (origin === undefined || origin === `http://${host}`);
};

interface Page {
  readonly html: string;
  readonly policy: string;
}

const answer = ({ headers }: IncomingMessage, response: ServerResponse, { html, policy }: Page): void => {
  if (!isLocalHost(headers.host)) return void response.writeHead(421).end();
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
  response.end(html);
};

const pageOf = (inspectorUrl: string): Page => {
  const { href, origin } = new URL(inspectorUrl);
  const style = "html,body,iframe{margin:0;border:0;width:100%;height:100%}";
  const script = scriptOf(origin);
  const policy =
    `default-src 'none'; frame-src ${origin}; connect-src 'self'; script-src ${hashOf(script)}; ` +
    `style-src ${hashOf(style)}`;
  const frame = `<iframe title="Stately's inspector" src="${href.replaceAll('"', "%22")}"></iframe>`;
  const html = `<!doctype html><meta charset="utf-8"><title>Spillway in Stately's inspector</title>
<style>${style}</style>${frame}<script>${script}</script>`;
  return { html, policy };
};

/** The inspector says that it is there; what came before waits, within a bound. */
const scriptOf = (origin: string): string => `
const frame = document.querySelector("iframe");
let waiting = [];
let isConnected = false;
addEventListener("message", ({ data, source }) => {
  if (source !== frame.contentWindow || data?.type !== "@statelyai.connected") return;
  isConnected = true;
  for (const event of waiting) frame.contentWindow.postMessage(event, ${JSON.stringify(origin)});
  waiting = [];
});
new WebSocket("ws://" + location.host).addEventListener("message", ({ data }) => {
  const event = JSON.parse(data);
  if (isConnected) frame.contentWindow.postMessage(event, ${JSON.stringify(origin)});
  else waiting = [...waiting.slice(-${keptMax}), event];
});
`;

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
