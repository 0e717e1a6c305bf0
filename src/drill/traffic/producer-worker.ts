// Plain Node on a thread of its own: no effect runs here.
// @effect-diagnostics globalTimers:off
import { parentPort, workerData } from "node:worker_threads";
import { type FromProducer, type ProducerData, tellMillis, type ToProducer } from "./messages.ts";
import { Producer } from "./producer.ts";

const main = parentPort;
if (main === null) throw new Error("This file is a worker thread's.");
const tell = (message: FromProducer) => main.postMessage(message);
const producer = new Producer(workerData as ProducerData);
const telling = setInterval(() => tell({ type: "counts", counts: producer.counts() }), tellMillis);

main.on("message", (message: ToProducer) => {
  if (message.type === "rate") producer.rate(message.customers, message.factor);
  else if (message.type === "strangers") producer.offerStrangers(message.count, message.recordsPerSecond);
  else {
    clearInterval(telling);
    void producer.stop().then(tell);
  }
});
