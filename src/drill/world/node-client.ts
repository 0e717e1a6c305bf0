import { Effect, type Scope } from "effect";
import { Agent, request } from "undici";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";

export interface Asked {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  /** Statuses beside 2xx that are an answer all the same. */
  readonly expect?: ReadonlyArray<number>;
  readonly millisMax?: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Undefined: the answer was not JSON. */
  readonly json: unknown;
}

/** Speaks to one node's API. */
export interface NodeClient {
  readonly url: string;
  readonly ask: (asked: Asked) => Effect.Effect<Answer, DrillFailure>;
}

const answerMillisMax = 10_000;

export const openNodeClient = Effect.fnUntraced(function* (
  url: string,
  token: string | undefined,
): Effect.fn.Return<NodeClient, never, Scope.Scope> {
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: 4, connectTimeout: 5_000 })),
    (open) => Effect.promise(() => open.destroy()),
  );
  const exchange = async (asked: Asked, signal: AbortSignal): Promise<Answer> => {
    const millisMax = asked.millisMax ?? answerMillisMax;
    const response = await request(`${url}${asked.path}`, {
      dispatcher: agent,
      method: asked.method,
      signal,
      headersTimeout: millisMax,
      bodyTimeout: millisMax,
      headers: {
        "spillway-actor": "spillway drill",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(asked.json === undefined ? {} : { "content-type": "application/json" }),
      },
      body: asked.json === undefined ? null : JSON.stringify(asked.json),
    });
    const text = await response.body.text();
    return { status: response.statusCode, text, json: parsed(text) };
  };
  const ask = Effect.fnUntraced(function* (asked: Asked) {
    const answer = yield* Effect.tryPromise({
      try: (signal) => exchange(asked, signal),
      catch: (error) => drillFailure(`${asked.method} ${url}${asked.path}: ${errorText(error)}`),
    });
    const { status } = answer;
    if ((status >= 200 && status < 300) || asked.expect?.includes(status) === true) return answer;
    const message = messageOf(answer.json) ?? answer.text.slice(0, 200);
    return yield* drillFailure(`${asked.method} ${url}${asked.path} answered ${status}: ${message}`);
  });
  return { url, ask };
});

const parsed = (text: string): unknown => {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
};

const errorText = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return typeof code === "string" ? code : String(message ?? error);
};

const messageOf = (body: unknown): string | undefined => {
  const message = (body as { readonly error?: { readonly message?: unknown } } | undefined)?.error?.message;
  return typeof message === "string" ? message : undefined;
};
