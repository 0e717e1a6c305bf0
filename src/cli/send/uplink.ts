import { Clock, Effect, Random } from "effect";
import { randomBytes } from "node:crypto";
import { Client } from "undici";
import { parseRetryAfter } from "../../domain/push-outcome.ts";
import { readAnswerText } from "../answer-body.ts";
import { describeAnswer, describeNetworkError, networkCodeOf } from "../client.ts";
import { type CommandFailure, failed } from "../command-failure.ts";
import { authorizationOf, type Connection } from "../connection.ts";
import type { LineBody } from "./line-cutter.ts";
import type { SendTally } from "./tally.ts";

export interface UplinkOptions {
  readonly connection: Connection;
  readonly dataset: string;
  readonly customer: string | undefined;
  readonly customerField: string | undefined;
  readonly inFlightMax: number;
  readonly giveUpMillis: number;
  /** A line for people: a refused line, the beginning of an outage. */
  readonly say: (line: string) => void;
}

interface IngestAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: unknown;
}

interface Unanswered {
  /** For people. */
  readonly reason: string;
  readonly isNobodyThere: boolean;
}

const answerMillisMax = 60_000;
const answerBytesMax = 4_194_304;
const backoffBaseMillis = 200;
const backoffMillisMax = 10_000;
/** Refused lines printed one by one; the rest is counted. */
const listedMax = 1_000;

/**
 * The way of bodies to one node. All requests travel over one connection, pipelined: they arrive in the order of the
 * input, which two connections would not promise. A body that has to be repeated may be overtaken by those behind it.
 */
export const openUplink = Effect.fnUntraced(function* (options: UplinkOptions, tally: SendTally) {
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Client(new URL(options.connection.url).origin, {
          pipelining: options.inFlightMax,
          connectTimeout: 5_000,
          headersTimeout: answerMillisMax,
          bodyTimeout: answerMillisMax,
        }),
    ),
    (open) => Effect.promise(() => open.destroy()),
  );
  const run = randomBytes(9).toString("base64url");
  let bodies = 0;
  let listed = 0;
  let isAnswered = false;
  let isOutageTold = false;

  const account = (body: LineBody, answer: IngestAnswer) => {
    const { accepted, refused, unconfigured } = readAnswer(answer.body, body);
    tally.accepted += accepted;
    tally.unconfigured += unconfigured;
    tally.refused += Math.max(refused.length, body.records - accepted - unconfigured);
    for (const { line, reason } of refused) {
      if (listed++ >= listedMax) break;
      options.say(`line ${body.firstLine + line - 1}: ${reason}`);
    }
    tally.unlisted += Math.max(0, body.records - accepted - unconfigured - refused.length);
  };

  const send = Effect.fnUntraced(function* (body: LineBody): Effect.fn.Return<void, CommandFailure> {
    if (body.records === 0) return;
    tally.sent += body.records;
    // The same key on every attempt: an attempt that had landed is not stored again.
    const key = `${run}-${++bodies}`;
    let failingSince: number | undefined;
    for (let attempt = 1; ; attempt++) {
      const result = yield* attemptSend(client, options, body, key);
      if ("status" in result) isAnswered = true;
      // Nobody there from the beginning is a wrong address, not an outage.
      else if (!isAnswered && result.isNobodyThere) return yield* failed(result.reason);
      if ("status" in result && result.status === 200) {
        isOutageTold = false;
        return account(body, result);
      }
      if ("status" in result && result.status === 413) {
        tally.refused += body.records;
        options.say(
          `lines ${body.firstLine}-${body.firstLine + body.lines - 1}: ${describeAnswer(result, options.connection)}`,
        );
        return;
      }
      if ("status" in result && !isTransient(result.status)) {
        return yield* failed(describeAnswer(result, options.connection));
      }
      const reason = "status" in result ? describeAnswer(result, options.connection) : result.reason;
      const now = yield* Clock.currentTimeMillis;
      failingSince ??= now;
      const spent = now - failingSince;
      if (spent >= options.giveUpMillis) {
        return yield* failed(`gave up after ${Math.round(spent / 1_000)} s: ${reason}`);
      }
      if (!isOutageTold) options.say(`trying again for up to ${Math.round(options.giveUpMillis / 1_000)} s: ${reason}`);
      isOutageTold = true;
      tally.repeats += 1;
      const asked = "status" in result ? parseRetryAfter(result.retryAfter, now) : undefined;
      const jitter = yield* Random.nextBetween(0.5, 1);
      const backoff = Math.min(backoffMillisMax, backoffBaseMillis * 2 ** Math.min(attempt - 1, 16)) * jitter;
      yield* Effect.sleep(Math.min(asked ?? backoff, Math.max(0, options.giveUpMillis - spent)));
    }
  });
  return { send };
});

/** 429 and 5xx may pass; anything else is about the request, and every later one would meet it too. */
const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** The answer, or why there is none. */
const attemptSend = (client: Client, options: UplinkOptions, body: LineBody, key: string) =>
  Effect.tryPromise({
    try: (signal) => exchange(client, options, body, key, signal),
    catch: (error): Unanswered => ({
      reason: describeNetworkError(error, options.connection.url),
      isNobodyThere: ["ECONNREFUSED", "ENOTFOUND"].includes(networkCodeOf(error) ?? ""),
    }),
  }).pipe(Effect.catch((unanswered) => Effect.succeed(unanswered)));

const exchange = async (
  client: Client,
  options: UplinkOptions,
  body: LineBody,
  key: string,
  signal: AbortSignal,
): Promise<IngestAnswer> => {
  const { connection, customer, customerField, dataset } = options;
  const response = await client.request({
    method: "POST",
    path: `${new URL(connection.url).pathname.replace(/\/$/, "")}/v1/ingest/${encodeURIComponent(dataset)}`,
    headers: {
      ...authorizationOf(connection),
      "content-type": "application/x-ndjson",
      "idempotency-key": key,
      ...(customer === undefined ? {} : { "spillway-customer": customer }),
      ...(customerField === undefined ? {} : { "spillway-customer-field": customerField }),
    },
    body: body.data,
    // The key makes it so: undici then pipelines a POST.
    idempotent: true,
    signal,
  });
  const text = await readAnswerText(response.body, answerBytesMax);
  const retryAfter = response.headers["retry-after"];
  return {
    status: response.statusCode,
    retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
    body: parseJson(text),
  };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

interface Refusal {
  readonly line: number;
  readonly reason: string;
}

const isRefusal = (each: unknown): each is Refusal =>
  typeof each === "object" && each !== null && "line" in each && typeof each.line === "number" && "reason" in each;

/** An answer that cannot be read accepted nothing that we know of: its records stay unanswered and fail the command. */
const readAnswer = (answer: unknown, body: LineBody) => {
  const { accepted, refused, unconfigured } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  const count = (value: unknown) => (typeof value === "number" ? Math.min(value, body.records) : 0);
  return {
    accepted: count(accepted),
    unconfigured: count(unconfigured),
    refused: Array.isArray(refused) ? refused.filter(isRefusal) : [],
  };
};
