import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { type AccessPolicy, denialOf } from "../api/access.ts";

/** Live views over WebSocket need the main thread's memory: the bytes are passed to the data address and back. */

const upgradesMax = 64;

/** A listener for `upgrade`. The data address checks the caller once more. */
export const forwardUpgrades = (policy: AccessPolicy, dataUrl: string) => {
  const { hostname, port } = new URL(dataUrl);
  const open = new Set<Duplex>();
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    const denial = denialOf(policy, { url: request.url ?? "/", headers: request.headers });
    if (denial !== undefined) return endWith(socket, denial.status, denial.code, denial.message);
    if (open.size >= upgradesMax) {
      return endWith(socket, 503, "busy", `More than ${upgradesMax} live views are open at this address.`);
    }
    open.add(socket);
    const inner = connect({ host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) });
    inner.once("connect", () => {
      inner.write(headOf(request));
      inner.write(head);
      socket.pipe(inner).pipe(socket);
    });
    inner.on("error", () => inner.destroy());
    inner.once("close", () => socket.destroy());
    socket.once("close", () => {
      open.delete(socket);
      inner.destroy();
    });
  };
};

const headOf = ({ method, rawHeaders, url }: IncomingMessage): string => {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
};

const endWith = (socket: Duplex, status: number, code: string, message: string): void => {
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};
