import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** Node's HTTP server within our bounds. Free of Effect: the control thread loads this too and pays for each import. */

const headerBytesMax = 16_384;
const headersMillisMax = 10_000;
const requestMillisMax = 60_000;
const keepAliveMillisMax = 75_000;

/** @param connectionsMax what is beyond is closed at once */
export const boundedServer = (connectionsMax: number): Server => {
  const server = createServer({
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersMillisMax,
    requestTimeout: requestMillisMax,
    keepAliveTimeout: keepAliveMillisMax,
    connectionsCheckingInterval: 5_000,
  });
  server.maxConnections = connectionsMax;
  server.on("clientError", refuseMalformed);
  return server;
};

/** Node listens on names without brackets. */
export const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

export const urlOf = (host: string, server: Server): string => {
  const { port } = server.address() as AddressInfo;
  const name = bareHost(host);
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
};

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Answers with the one error body of the API. */
export const refuse = (
  response: ServerResponse,
  { status, code, message }: Refusal,
  more: Readonly<Record<string, string>> = {},
): void => {
  const body = JSON.stringify({ error: { code, message } });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(status === 401 ? { "www-authenticate": 'Bearer realm="spillway"' } : {}),
    ...more,
  });
  response.end(body);
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
