/**
 * A process of its own: takes what Spillway delivers and counts it, as cheaply as it can. It trusts the header for the
 * number of records (the books are compared with it afterwards) and inflates nothing. Tells its parent when the number
 * that it was given as argument has arrived.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the sink has seen. */
export interface SinkCounts {
  readonly records: number;
  readonly batches: number;
  readonly gzipBytes: number;
  /** Requests under a key that had been there before: not counted again. */
  readonly repeated: number;
}

const wanted = Number(process.argv[2]);
const keys = new Set<string>();
const counts = { records: 0, batches: 0, gzipBytes: 0, repeated: 0 };

const server = createServer((request, response) => {
  let bytes = 0;
  request.on("data", (part: Buffer) => (bytes += part.length));
  request.on("end", () => {
    const key = String(request.headers["idempotency-key"]);
    if (keys.has(key)) {
      counts.repeated += 1;
    } else {
      keys.add(key);
      counts.records += Number(request.headers["spillway-records"]);
      counts.batches += 1;
      counts.gzipBytes += bytes;
      if (counts.records >= wanted) process.send?.({ all: counts });
    }
    response.end();
  });
});

// Ctrl-C reaches the whole terminal group; the parent says when to go, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
