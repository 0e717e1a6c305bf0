/**
 * A process of its own: sends mixed bodies of a range of customers at a steady rate, and writes the time of sending
 * into every record. Arguments: first customer, number of customers, records per body, whether to send again what was
 * refused as a whole.
 */
import { Agent, request as httpRequest } from "node:http";
import { RequestLog } from "../../demo/generator/request-log.ts";
import { timestampOffset } from "../../demo/generator/templates.ts";
import { dataset } from "./workload.ts";

/** What one spell of sending has come to, in records but for `repeated` and `failed`, which are bodies. */
export interface SpellCounts {
  readonly offered: number;
  readonly accepted: number;
  readonly unconfigured: number;
  readonly refused: number;
  /** Answered 429 or 503 and sent again. */
  readonly repeated: number;
  /** Without an answer that could be read. */
  readonly failed: number;
  readonly seconds: number;
}

interface Order {
  readonly url: string;
  readonly millis: number;
  /** Records a second. */
  readonly rate: number;
}

const [first = 0, count = 1, bodyRecords = 1, again = 0] = process.argv.slice(2).map(Number);
const tickMillis = 10;
const inFlightMax = 64;
/** As many as it takes to name every customer, within some 60 MB. */
const bodiesMax = 120;

const log = new RequestLog({ seed: 1 + first, customerField: true });
const bodies = Array.from({ length: Math.min(bodiesMax, Math.ceil(count / bodyRecords)) }, (_, body) => {
  let record = body * bodyRecords;
  const content = log.body(first + record, bodyRecords, () => first + (record++ % count));
  const starts: Array<number> = [];
  for (let at = 0; at < content.length; at = content.indexOf(10, at) + 1) starts.push(at);
  return { content, starts };
});
const agent = new Agent({ keepAlive: true, maxSockets: inFlightMax });
let next = 0;

const stamped = (): Buffer => {
  const { content, starts } = bodies[next++ % bodies.length]!;
  const copy = Buffer.from(content);
  const now = String(Date.now());
  for (const start of starts) copy.write(now, start + timestampOffset, "latin1");
  return copy;
};

const post = (url: string) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const content = stamped();
    const sending = httpRequest(`${url}/v1/ingest/${dataset}`, {
      method: "POST",
      agent,
      headers: {
        "content-type": "application/x-ndjson",
        "content-length": content.length,
        "spillway-customer-field": "Customer",
      },
    });
    sending.on("error", reject);
    sending.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.end(content);
  });

interface Answer {
  readonly accepted: number;
  readonly unconfigured: number;
  readonly refusedCount: number;
}

const spell = ({ millis, rate, url }: Order): Promise<SpellCounts> => {
  const counts = { offered: 0, accepted: 0, unconfigured: 0, refused: 0, repeated: 0, failed: 0 };
  const one = async (): Promise<void> => {
    for (;;) {
      const { status, text } = await post(url);
      if (status === 200) {
        const answer = JSON.parse(text) as Answer;
        counts.accepted += answer.accepted;
        counts.unconfigured += answer.unconfigured;
        counts.refused += answer.refusedCount;
        return;
      }
      if (status !== 429 && status !== 503) throw new Error(`${status} ${text}`);
      if (again === 0) return void (counts.refused += bodyRecords);
      counts.repeated += 1;
      await new Promise((resume) => setTimeout(resume, 200));
    }
  };
  const began = performance.now();
  return new Promise((resolve) => {
    let inFlight = 0;
    // Open loop: what is due is sent whether or not what was sent before has been answered.
    const timer = setInterval(() => {
      const now = performance.now() - began;
      // When the time is over nothing is due any more, however much was missed.
      const due = now < millis ? now * (rate / 1_000) : 0;
      while (inFlight < inFlightMax && counts.offered < due) {
        counts.offered += bodyRecords;
        inFlight += 1;
        one()
          .catch(() => (counts.failed += 1))
          .finally(() => (inFlight -= 1));
      }
      if (now < millis || inFlight > 0) return;
      clearInterval(timer);
      resolve({ ...counts, seconds: now / 1_000 });
    }, tickMillis);
  });
};

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  spell(order).then(
    (sent) => process.send?.({ sent }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.send?.({ ready: true });
