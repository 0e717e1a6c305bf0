import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** One request as it came, once its body (by Content-Length) is whole. */
export interface ScriptedRequest {
  readonly head: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly socket: Socket;
}

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  readonly requests: Array<ScriptedRequest>;
  /** Sockets open now. */
  readonly sockets: ReadonlySet<Socket>;
  readonly close: () => Promise<void>;
}

/**
 * A raw TCP server that speaks only as much HTTP as its script makes it: `onRequest` for whole requests, `onConnect`
 * for what happens before.
 */
export const startScriptedServer = async (script: {
  readonly onRequest?: (request: ScriptedRequest) => void;
  readonly onConnect?: (socket: Socket) => void;
}): Promise<ScriptedServer> => {
  const requests: Array<ScriptedRequest> = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    script.onConnect?.(socket);
    let received = Buffer.alloc(0);
    socket.on("data", (data) => {
      received = Buffer.concat([received, data]);
      for (let request = parse(received, socket); request !== undefined; request = parse(received, socket)) {
        received = received.subarray(request.size);
        requests.push(request);
        script.onRequest?.(request);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

const parse = (received: Buffer, socket: Socket): (ScriptedRequest & { readonly size: number }) | undefined => {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [head = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const size = end + 4 + Number(headers["content-length"] ?? 0);
  if (received.byteLength < size) return undefined;
  return { head, headers, body: Buffer.from(received.subarray(end + 4, size)), socket, size };
};

/** A whole answer. */
export const answerWith = (status: number, headers: Readonly<Record<string, string>> = {}, body = ""): string =>
  [
    `HTTP/1.1 ${status} Whatever`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
