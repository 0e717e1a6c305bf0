import { randomBytes } from "node:crypto";
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { customerName } from "./generator/customer-name.ts";
import type { PlannedBody } from "./generator/body-plan.ts";
import { dataset } from "./push-jobs.ts";

/** What became of the records at the door. */
export interface SendCounts {
  sent: number;
  accepted: number;
  refused: number;
  unconfigured: number;
  /** Requests that had to be repeated. */
  repeated: number;
}

export interface SendOptions {
  readonly url: string;
  readonly bodies: ReadonlyArray<PlannedBody>;
  readonly contentOf: (body: PlannedBody) => Buffer;
  readonly signal: AbortSignal;
}

const lanes = 8;

/** How long one body is offered before the demo gives up. */
const offerMillisMax = 90_000;
const pauseMillis = 200;

/**
 * Sends all bodies at full speed over a few connections. Each customer has its connection: order is promised to those
 * who
 * send in order. A body that was not acknowledged is sent again under the same Idempotency-Key.
 */
export const sendBodies = async (options: SendOptions, counts: SendCounts): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const run = randomBytes(6).toString("hex");
  try {
    const queues = Array.from({ length: lanes }, (_, lane) =>
      options.bodies.filter(({ customer }) => customer % lanes === lane),
    );
    await Promise.all(
      queues.map(async (queue) => {
        for (const body of queue) {
          options.signal.throwIfAborted();
          await sendBody(options, agent, body, `demo-${run}-${body.first}`, counts);
        }
      }),
    );
  } finally {
    agent.destroy();
  }
};

const sendBody = async (
  options: SendOptions,
  agent: Agent,
  body: PlannedBody,
  key: string,
  counts: SendCounts,
): Promise<void> => {
  const content = options.contentOf(body);
  counts.sent += body.records;
  const deadline = performance.now() + offerMillisMax;
  for (;;) {
    const answer = await post(options, agent, { customer: customerName(body.customer), key, content });
    if (answer.status === 200) {
      const { accepted, refusedCount, unconfigured } = JSON.parse(answer.text) as Record<string, number>;
      counts.accepted += accepted ?? 0;
      counts.unconfigured += unconfigured ?? 0;
      counts.refused += refusedCount ?? body.records - (accepted ?? 0) - (unconfigured ?? 0);
      return;
    }
    const mayPass = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (!mayPass || performance.now() > deadline) {
      throw new Error(`Spillway did not take a body: ${answer.status === 0 ? "" : `${answer.status} `}${answer.text}`);
    }
    counts.repeated += 1;
    await sleep(Math.max(pauseMillis, answer.retryAfterMillis), undefined, { signal: options.signal });
  }
};

interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  readonly text: string;
  readonly retryAfterMillis: number;
}

const post = (
  { signal, url }: SendOptions,
  agent: Agent,
  { content, customer, key }: { readonly content: Buffer; readonly customer: string; readonly key: string },
): Promise<Answer> =>
  new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, text: error.message, retryAfterMillis: 0 });
    const sending = httpRequest(`${url}/v1/ingest/${dataset}`, {
      method: "POST",
      agent,
      signal,
      timeout: 60_000,
      headers: {
        "Content-Type": "application/x-ndjson",
        "Content-Length": content.length,
        "Spillway-Customer": customer,
        "Idempotency-Key": key,
      },
    });
    sending.on("error", failed);
    sending.on("timeout", () => sending.destroy(new Error("no answer for 60 seconds")));
    sending.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("error", failed);
      response.on("end", () => {
        const retryAfterMillis = Math.min(5_000, Number(response.headers["retry-after"] ?? 0) * 1_000 || 0);
        resolve({ status: response.statusCode ?? 0, text, retryAfterMillis });
      });
    });
    sending.end(content);
  });
