// Plain Node on a thread of its own: no effect runs here.
// @effect-diagnostics globalTimers:off
import { parentPort, workerData } from "node:worker_threads";
import { type FromSink, type SinkData, tellMillis, type ToSink } from "./messages.ts";
import { Sink } from "./sink.ts";

const main = parentPort;
if (main === null) throw new Error("This file is a worker thread's.");
const tell = (message: FromSink) => main.postMessage(message);
const sink = new Sink(workerData as SinkData);

main.on("message", (message: ToSink) => {
  if (message.type === "behave") sink.behave(message.customers, message.behaviour);
  else if (message.type === "phase") sink.beginPhase(message.phase);
  else tell(sink.reckon(message.offered, message.steady));
});
const urls = await sink.listen();
tell({ type: "listening", urls });
setInterval(() => tell({ type: "counts", counts: sink.counts() }), tellMillis);
