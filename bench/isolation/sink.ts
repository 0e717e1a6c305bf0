/**
 * A process of its own: one HTTP server per customer, each well until the parent says how it is ill. Reads the time at
 * which each record was sent from the record itself, so that a delivery's lag is known record by record.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzip } from "node:zlib";
import { timestampOffset } from "../../demo/generator/templates.ts";
import type { Fault } from "./workload.ts";

/** What arrived for the customers that were watched, of the records that were sent in the given time. */
export interface LagReport {
  readonly records: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  readonly maxMillis: number;
}

type Order =
  | { readonly ill: ReadonlyArray<number>; readonly fault: Fault }
  | {
      readonly report: {
        readonly fromMillis: number;
        readonly toMillis: number;
        readonly except: ReadonlyArray<number>;
      };
    }
  | { readonly total: true };

/** Records by the millisecond in which they were sent, and by their lag in milliseconds. */
interface Arrival {
  readonly customer: number;
  readonly sentMillis: number;
  readonly lagMillis: number;
  readonly records: number;
}

const customers = Number(process.argv[2]);
let ill = new Set<number>();
let fault: Fault = "hang";
const arrivals: Array<Arrival> = [];
const keys = new Set<string>();
const totals = { records: 0, repeated: 0 };
const hanging = new Set<ServerResponse>();

const take = (customer: number, request: IncomingMessage, response: ServerResponse): void => {
  const parts: Array<Buffer> = [];
  request.on("error", () => {});
  response.on("error", () => {});
  response.on("close", () => hanging.delete(response));
  if (ill.has(customer)) return beIll(request, response);
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const key = String(request.headers["idempotency-key"]);
    if (keys.has(key)) {
      totals.repeated += 1;
      return void response.end();
    }
    keys.add(key);
    const arrivedMillis = Date.now();
    gunzip(Buffer.concat(parts), (error, raw) => {
      if (error !== null) return void response.writeHead(400).end();
      book(customer, arrivedMillis, raw);
      response.end();
    });
  });
};

const beIll = (request: IncomingMessage, response: ServerResponse): void => {
  if (fault === "reset") return void request.socket.destroy();
  request.resume();
  if (fault === "hang") return void hanging.add(response);
  if (fault === "drip") {
    hanging.add(response);
    // A status line that never comes to its end: with the whole of it, it would be an answer.
    request.socket.write("HTTP/1.1 200 ");
    const timer = setInterval(() => request.socket.write("O"), 1_000);
    request.socket.on("error", () => {});
    response.on("close", () => clearInterval(timer));
    return;
  }
  request.on("end", () => response.writeHead(Number(fault)).end("ill on purpose"));
};

const book = (customer: number, arrivedMillis: number, raw: Buffer): void => {
  let sentMillis = 0;
  let records = 0;
  const flush = () => {
    if (records === 0) return;
    totals.records += records;
    arrivals.push({ customer, sentMillis, lagMillis: arrivedMillis - sentMillis, records });
    records = 0;
  };
  for (let at = 0; at < raw.length; at = raw.indexOf(10, at) + 1) {
    const sent = Number(raw.toString("latin1", at + timestampOffset, at + timestampOffset + 13));
    if (sent !== sentMillis) flush();
    sentMillis = sent;
    records += 1;
  }
  flush();
};

const report = (fromMillis: number, toMillis: number, except: ReadonlySet<number>): LagReport => {
  const seen = arrivals
    .filter(({ customer, sentMillis }) => sentMillis >= fromMillis && sentMillis < toMillis && !except.has(customer))
    .toSorted((a, b) => a.lagMillis - b.lagMillis);
  const all = seen.reduce((sum, { records }) => sum + records, 0);
  const at = (share: number): number => {
    let left = Math.ceil(all * share);
    for (const { lagMillis, records } of seen) {
      left -= records;
      if (left <= 0) return lagMillis;
    }
    return 0;
  };
  return { records: all, p50Millis: at(0.5), p99Millis: at(0.99), maxMillis: seen.at(-1)?.lagMillis ?? 0 };
};

const heal = (): void => {
  ill = new Set();
  // What hung is not answered late: its connection is gone, as with a server that was restarted.
  for (const response of hanging) response.destroy();
  hanging.clear();
};

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  if ("ill" in order) {
    heal();
    ill = new Set(order.ill);
    fault = order.fault;
    process.send?.({ done: true });
  } else if ("report" in order) {
    const { except, fromMillis, toMillis } = order.report;
    process.send?.({ lag: report(fromMillis, toMillis, new Set(except)) });
  } else {
    process.send?.({ totals });
  }
});

const ports: Array<number> = [];
for (let customer = 0; customer < customers; customer++) {
  const server = createServer((request, response) => take(customer, request, response));
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ports.push((server.address() as AddressInfo).port);
}
process.send?.({ ports });
