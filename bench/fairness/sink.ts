/**
 * A process of its own: a host that takes so many records a second, one request after the other. Tells for each
 * customer what arrived in a given time, and the lag of the light ones' records.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { timestampOffset } from "../../demo/generator/templates.ts";
import { heavyCustomer, hostRecordsPerSecond } from "./workload.ts";

/** What arrived in a span of time. */
export interface SinkReport {
  /** Records by customer. */
  readonly records: ReadonlyArray<number>;
  readonly lightP50LagMillis: number;
  readonly lightP99LagMillis: number;
}

interface Arrival {
  readonly customer: number;
  readonly atMillis: number;
  readonly records: number;
  readonly lags: ReadonlyArray<number>;
}

const arrivals: Array<Arrival> = [];
const keys = new Set<string>();
/** When the host will have taken what it was given. */
let busyUntilMillis = 0;

const lagsOf = (raw: Buffer, atMillis: number): ReadonlyArray<number> => {
  const lags: Array<number> = [];
  for (let at = 0; at < raw.length; at = raw.indexOf(10, at) + 1) {
    lags.push(atMillis - Number(raw.toString("latin1", at + timestampOffset, at + timestampOffset + 13)));
  }
  return lags;
};

const server = createServer((request, response) => {
  const parts: Array<Buffer> = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const customer = Number(request.url?.slice(1));
    const records = Number(request.headers["spillway-records"]);
    const done = () => {
      response.end();
      const key = String(request.headers["idempotency-key"]);
      if (keys.has(key)) return;
      keys.add(key);
      const atMillis = Date.now();
      const lags = customer === heavyCustomer ? [] : lagsOf(gunzipSync(Buffer.concat(parts)), atMillis);
      arrivals.push({ customer, atMillis, records, lags });
    };
    const now = performance.now();
    busyUntilMillis = Math.max(now, busyUntilMillis) + (1_000 * records) / hostRecordsPerSecond;
    setTimeout(done, busyUntilMillis - now);
  });
});

const report = (fromMillis: number, toMillis: number): SinkReport => {
  const seen = arrivals.filter(({ atMillis }) => atMillis >= fromMillis && atMillis < toMillis);
  const records = Array.from({ length: heavyCustomer + 1 }, () => 0);
  for (const { customer, records: more } of seen) records[customer]! += more;
  const lags = seen.flatMap((each) => each.lags).toSorted((a, b) => a - b);
  const at = (share: number) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0;
  return { records, lightP50LagMillis: at(0.5), lightP99LagMillis: at(0.99) };
};

// Ctrl-C reaches the whole terminal group; the parent says when to go, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", ({ fromMillis, toMillis }: { readonly fromMillis: number; readonly toMillis: number }) => {
  process.send?.({ report: report(fromMillis, toMillis) });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
