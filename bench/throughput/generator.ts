/**
 * A process of its own: makes all bodies in memory, says so, and when told where to sends them at full speed over a few
 * connections. Arguments: records, customers, seed.
 */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { planBodies } from "../../demo/generator/body-plan.ts";
import { customerName } from "../../demo/generator/customer-name.ts";
import { RequestLog } from "../../demo/generator/request-log.ts";
import { seededRandom } from "../../demo/generator/seeded-random.ts";
import { customersPerBodyMax, dataset } from "./workload.ts";

/** The generator's last word. */
export interface GeneratorCounts {
  readonly accepted: number;
  readonly rawBytes: number;
  /** Requests that were answered 429 or 503 and sent again. */
  readonly repeated: number;
  readonly seconds: number;
}

interface ReadyBody {
  readonly content: Buffer;
  /** Undefined: each record names its own. */
  readonly customer: string | undefined;
}

const bodyRecordsMax = 1_000;
/** More bodies than this are not kept in memory: the first ones are sent again. */
const bodiesMax = 4_000;
const connections = 8;
const tries = 100;

const [records = 0, customers = 0, seed = 0] = process.argv.slice(2).map(Number);

const makeBodies = (): ReadonlyArray<ReadyBody> => {
  const mixed = customers > customersPerBodyMax;
  const log = new RequestLog({ seed, customerField: mixed });
  if (!mixed) {
    return planBodies({ seed, records, customers, bodyRecordsMax, distribution: "uniform" })
      .slice(0, bodiesMax)
      .map(({ customer, first, records: count }) => ({
        content: log.body(first, count),
        customer: customerName(customer),
      }));
  }
  const random = seededRandom(seed);
  return Array.from({ length: Math.min(bodiesMax, Math.ceil(records / bodyRecordsMax)) }, (_, body) => {
    const first = body * bodyRecordsMax;
    const count = Math.min(bodyRecordsMax, records - first);
    return { content: log.body(first, count, () => random(customers)), customer: undefined };
  });
};

const countLines = (content: Buffer): number => {
  let lines = 0;
  for (let at = content.indexOf(10); at !== -1; at = content.indexOf(10, at + 1)) lines += 1;
  return lines;
};

/** Sends bodies until all records are accepted; a lane is a connection. */
const sendAll = async (url: string, bodies: ReadonlyArray<ReadyBody>): Promise<GeneratorCounts> => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const sizes = bodies.map(({ content }) => countLines(content));
  const counts = { accepted: 0, rawBytes: 0, repeated: 0 };
  const began = performance.now();
  let taken = 0;
  let next = 0;
  const lane = async () => {
    while (taken < records) {
      const at = next++ % bodies.length;
      const body = bodies[at] as ReadyBody;
      taken += sizes[at] as number;
      // Read, wait, add would lose what the other lanes add meanwhile.
      const accepted = await offer(agent, url, body, counts);
      counts.accepted += accepted;
      counts.rawBytes += body.content.length;
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  agent.destroy();
  return { ...counts, seconds: (performance.now() - began) / 1_000 };
};

const offer = async (agent: Agent, url: string, body: ReadyBody, counts: { repeated: number }): Promise<number> => {
  for (let attempt = 1; attempt <= tries; attempt++) {
    const { retryAfterSeconds, status, text } = await post(agent, url, body);
    if (status === 200) return (JSON.parse(text) as { accepted: number }).accepted;
    if (status !== 429 && status !== 503) throw new Error(`${status} ${text}`);
    counts.repeated += 1;
    await sleep(Math.min(5_000, retryAfterSeconds * 1_000));
  }
  throw new Error("A body was refused again and again");
};

const post = (agent: Agent, url: string, { content, customer }: ReadyBody) =>
  new Promise<{ status: number; text: string; retryAfterSeconds: number }>((resolve, reject) => {
    const sending = httpRequest(`${url}/v1/ingest/${dataset}`, {
      method: "POST",
      agent,
      headers: {
        "Content-Type": "application/x-ndjson",
        "Content-Length": content.length,
        ...(customer === undefined ? {} : { "Spillway-Customer": customer }),
      },
    });
    sending.on("error", reject);
    sending.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("error", reject);
      response.on("end", () => {
        const retryAfterSeconds = Number(response.headers["retry-after"] ?? 1) || 1;
        resolve({ status: response.statusCode ?? 0, text, retryAfterSeconds });
      });
    });
    sending.end(content);
  });

// Ctrl-C reaches the whole terminal group; the parent says when to go, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
const bodies = makeBodies();
process.on("message", ({ url }: { url: string }) => {
  sendAll(url, bodies).then(
    (sent) => process.send?.({ sent }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.send?.({ bodies: bodies.length });
