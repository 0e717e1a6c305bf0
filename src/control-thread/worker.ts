import { parentPort, workerData } from "node:worker_threads";
import { bareHost, urlOf } from "../api/bounded-server.ts";
import { ControlServer } from "./control-server.ts";
import { MainLine } from "./main-line.ts";
import type { ControlThreadData, ToControl, ToMain } from "./messages.ts";
import { PulseWatch } from "./pulse.ts";

/**
 * The control thread. It has an event loop and a heap of its own, and imports Node and a few files of ours: neither
 * Effect nor NATS, for every thread holds its own copy of what it imports.
 */
const main = parentPort;
if (main === null) throw new Error("This file is a worker thread's.");
const data = workerData as ControlThreadData;
const post = (message: ToMain, transfer: ReadonlyArray<ArrayBuffer> = []) => main.postMessage(message, transfer);
const line = new MainLine(post, data.limits.controlInFlightMax);
const server = new ControlServer({
  policy: { tokenHash: data.tokenHash === undefined ? undefined : Buffer.from(data.tokenHash) },
  dataUrl: data.dataUrl,
  limits: data.limits,
  line,
  switches: data.switches,
  pulse: new PulseWatch(data.pulse, performance.now()),
});

server.health = data.health;

main.on("message", (message: ToControl) => {
  if (message.type === "health") {
    server.health = message.more;
    return;
  }
  if (message.type === "answer") return line.answered(message.id, message.answer);
  server.close();
  server.http.once("close", () => main.close());
});

const fail = ({ code, message }: NodeJS.ErrnoException) => {
  server.close();
  post({ type: "notListening", code, message });
};
server.http.once("error", fail);
server.http.listen({ host: bareHost(data.host), port: data.port }, () => {
  server.http.off("error", fail);
  post({ type: "listening", url: urlOf(data.host, server.http) });
});
