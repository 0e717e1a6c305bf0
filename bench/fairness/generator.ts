/**
 * A process of its own: every light customer sends a body a second, spread over the second; the heavy one, when it
 * takes part, so much more. Open loop: what is due is sent whether or not what was sent before has been answered.
 * Every record says when it was sent. Argument: whether the heavy one takes part.
 */
import { Agent, request as httpRequest } from "node:http";
import { customerName } from "../../demo/generator/customer-name.ts";
import { RequestLog } from "../../demo/generator/request-log.ts";
import { timestampOffset } from "../../demo/generator/templates.ts";
import { dataset, heavyBodyRecords, heavyCustomer, heavyFactor, lightRecordsPerSecond } from "./workload.ts";

/** How often somebody was told to come later: not what is measured here, so there should be none. */
export interface GeneratorReport {
  readonly bodies: number;
  readonly refused: number;
}

const isHeavyHere = process.argv[2] === "heavy";
const inFlightMax = 256;
const log = new RequestLog({ seed: 1, customerField: false });

interface Source {
  readonly customer: number;
  readonly content: Buffer;
  readonly starts: ReadonlyArray<number>;
  readonly everyMillis: number;
  dueMillis: number;
}

const sourceOf = (customer: number, records: number, everyMillis: number, dueMillis: number): Source => {
  const content = log.body(customer * 1_000, records);
  const starts: Array<number> = [];
  for (let at = 0; at < content.length; at = content.indexOf(10, at) + 1) starts.push(at);
  return { customer, content, starts, everyMillis, dueMillis };
};

const heavyEveryMillis = (1_000 * heavyBodyRecords) / (lightRecordsPerSecond * heavyFactor);
const sources: ReadonlyArray<Source> = [
  ...Array.from({ length: heavyCustomer }, (_, customer) =>
    sourceOf(customer, lightRecordsPerSecond, 1_000, (1_000 * customer) / heavyCustomer),
  ),
  ...(isHeavyHere ? [sourceOf(heavyCustomer, heavyBodyRecords, heavyEveryMillis, 0)] : []),
];
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const counts = { bodies: 0, refused: 0 };
const sending = { inFlight: 0 };

const post = (url: string, { content, customer, starts }: Source): void => {
  const copy = Buffer.from(content);
  const now = String(Date.now());
  for (const start of starts) copy.write(now, start + timestampOffset, "latin1");
  sending.inFlight += 1;
  counts.bodies += 1;
  const request = httpRequest(`${url}/v1/ingest/${dataset}`, {
    method: "POST",
    agent,
    headers: {
      "content-type": "application/x-ndjson",
      "content-length": copy.length,
      "spillway-customer": customerName(customer),
    },
  });
  const ended = (isTaken: boolean) => {
    sending.inFlight -= 1;
    if (!isTaken) counts.refused += 1;
  };
  request.on("error", () => ended(false));
  request.on("response", (response) => {
    response.resume();
    response.on("end", () => ended(response.statusCode === 200));
  });
  request.end(copy);
};

const send = (url: string): void => {
  const began = performance.now();
  setInterval(() => {
    const elapsed = performance.now() - began;
    for (const source of sources) {
      while (source.dueMillis <= elapsed) {
        // What cannot be sent in time is not sent later all at once: it was refused, and that is told.
        if (sending.inFlight < inFlightMax) post(url, source);
        else counts.refused += 1;
        source.dueMillis += source.everyMillis;
      }
    }
  }, 5);
};

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", (order: { readonly url?: string }) => {
  if (order.url === undefined) process.send?.({ report: counts });
  else send(order.url);
});
process.send?.({ ready: true });
