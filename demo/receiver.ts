/**
 * A process of its own: an HTTP endpoint that keeps every body as it came, in a file per request, and answers 200
 * when it
 * is written. Given a folder by its parent; tells its URL.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { postFileName } from "./check/post-file-name.ts";

const bodyBytesMax = 128 * 1_024 * 1_024;

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: receiver.ts FOLDER");

let received = 0;

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    () => response.destroy(),
  );
});

const receive = async (request: IncomingMessage): Promise<number> => {
  const customer = /^\/([\w-]+)$/.exec(request.url ?? "")?.[1];
  const key = request.headers["idempotency-key"];
  if (request.method !== "POST" || customer === undefined || typeof key !== "string") {
    request.resume();
    return 400;
  }
  const chunks: Array<Buffer> = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return 413;
    chunks.push(chunk);
  }
  const place = join(folder, customer);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, postFileName({ arrival: ++received, key })), Buffer.concat(chunks));
  return 200;
};

// Ctrl-C reaches the whole terminal group; the parent says when to go, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
