/**
 * A process of its own: sends bodies of one customer each at a steady rate, or as fast as they are taken, and writes
 * the time of sending into every record.
 */
import { Agent, request as httpRequest } from "node:http";
import { customerName } from "../../demo/generator/customer-name.ts";
import { RequestLog } from "../../demo/generator/request-log.ts";
import { timestampOffset } from "../../demo/generator/templates.ts";
import { bodyRecords, dataset } from "./workload.ts";

/** What one spell of sending has come to. */
export interface SpellCounts {
  readonly offered: number;
  readonly accepted: number;
  /** Bodies that were answered 429 or 503 and sent again. */
  readonly repeated: number;
  readonly seconds: number;
}

interface Order {
  readonly url: string;
  readonly millis: number;
  /** Records a second; 0: as fast as they are taken. */
  readonly rate: number;
}

const customers = Number(process.argv[2]);
const tickMillis = 10;
const inFlightMax = 64;
const fullSpeedLanes = 8;

const log = new RequestLog({ seed: 1, customerField: false });
const bodies = Array.from({ length: customers }, (_, customer) => {
  const content = log.body(customer * bodyRecords, bodyRecords);
  const starts: Array<number> = [];
  for (let at = 0; at < content.length; at = content.indexOf(10, at) + 1) starts.push(at);
  return { content, starts };
});
const agent = new Agent({ keepAlive: true, maxSockets: inFlightMax });
let next = 0;
const pick = () => next++ % customers;

/** A copy that says that it is sent now. */
const stamped = (customer: number): Buffer => {
  const { content, starts } = bodies[customer]!;
  const copy = Buffer.from(content);
  const now = String(Date.now());
  for (const start of starts) copy.write(now, start + timestampOffset, "latin1");
  return copy;
};

const post = (url: string, customer: number) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const content = stamped(customer);
    const sending = httpRequest(`${url}/v1/ingest/${dataset}`, {
      method: "POST",
      agent,
      headers: {
        "content-type": "application/x-ndjson",
        "content-length": content.length,
        "spillway-customer": customerName(customer),
      },
    });
    sending.on("error", reject);
    sending.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.end(content);
  });

const spell = async ({ millis, rate, url }: Order): Promise<SpellCounts> => {
  const counts = { offered: 0, accepted: 0, repeated: 0 };
  const began = performance.now();
  const one = async (customer: number): Promise<void> => {
    for (;;) {
      const { status, text } = await post(url, customer);
      if (status === 200) {
        counts.accepted += (JSON.parse(text) as { readonly accepted: number }).accepted;
        return;
      }
      if (status !== 429 && status !== 503) throw new Error(`${status} ${text}`);
      counts.repeated += 1;
      await new Promise((resume) => setTimeout(resume, 200));
    }
  };
  const elapsed = () => performance.now() - began;
  if (rate === 0) {
    const lane = async () => {
      while (elapsed() < millis) {
        counts.offered += bodyRecords;
        await one(pick());
      }
    };
    await Promise.all(Array.from({ length: fullSpeedLanes }, lane));
  } else {
    await steadily(rate, millis, elapsed, counts, () => one(pick()));
  }
  return { ...counts, seconds: elapsed() / 1_000 };
};

/** Open loop: what is due is sent whether or not what was sent before has been answered. */
const steadily = (
  rate: number,
  millis: number,
  elapsed: () => number,
  counts: { offered: number },
  one: () => Promise<void>,
) =>
  new Promise<void>((resolve, reject) => {
    let inFlight = 0;
    const timer = setInterval(() => {
      const now = elapsed();
      const due = Math.min(now, millis) * (rate / 1_000);
      while (inFlight < inFlightMax && counts.offered < due) {
        counts.offered += bodyRecords;
        inFlight += 1;
        one().then(() => (inFlight -= 1), reject);
      }
      if (now < millis || inFlight > 0) return;
      clearInterval(timer);
      resolve();
    }, tickMillis);
  });

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  spell(order).then(
    (sent) => process.send?.({ sent }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.send?.({ ready: true });
