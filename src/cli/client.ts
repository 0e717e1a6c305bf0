import { Console, Effect } from "effect";
import { type CommandFailure, failed } from "./command-failure.ts";
import type { Connection } from "./connection.ts";
import type { ApiAnswer, ApiRequest } from "./exchange.ts";

/** Speaks to one node's API; every failure is a line for people. */
export interface ApiClient {
  readonly ask: (request: ApiRequest) => Effect.Effect<ApiAnswer, CommandFailure>;
}

export const openClient = Effect.fnUntraced(function* (connection: Connection) {
  // Loaded only now: what asks nobody need not wait for it.
  const { openAgent, exchange } = yield* Effect.promise(() => import("./exchange.ts"));
  const agent = yield* Effect.acquireRelease(Effect.sync(openAgent), (open) => Effect.promise(() => open.destroy()));
  const ask = Effect.fnUntraced(function* (asked: ApiRequest) {
    const answer = yield* Effect.tryPromise({
      try: (signal) => exchange(agent, connection, asked, signal),
      catch: (error) => failed(describeNetworkError(error, connection.url)),
    });
    if (answer.asOf !== undefined) {
      yield* Console.error(`spillway: ${connection.url} is busy: what follows was so at ${answer.asOf}`);
    }
    if ((answer.status >= 200 && answer.status < 300) || asked.expect?.includes(answer.status) === true) return answer;
    return yield* failed(describeAnswer(answer, connection));
  });
  return { ask } satisfies ApiClient;
});

/** `{"error": {"message", "problems"}}` → lines for people. */
export const describeAnswer = (answer: Pick<ApiAnswer, "status" | "body">, connection: Connection): string => {
  const { message, problems } = errorOf(answer.body);
  if (answer.status === 401) {
    return connection.token === undefined
      ? `${connection.url} asks for a token: set SPILLWAY_TOKEN`
      : `${connection.url} refuses this token: check SPILLWAY_TOKEN`;
  }
  if (problems.length > 0) return [`not accepted:`, ...problems.map((problem) => `  ${problem}`)].join("\n");
  return `${message ?? "the node answered without saying why"} (status ${answer.status})`;
};

const errorOf = (body: unknown): { readonly message: string | undefined; readonly problems: ReadonlyArray<string> } => {
  const error = (body as { readonly error?: { readonly message?: unknown; readonly problems?: unknown } } | undefined)
    ?.error;
  return {
    message: typeof error?.message === "string" ? error.message : undefined,
    problems: Array.isArray(error?.problems) ? error.problems.filter((each) => typeof each === "string") : [],
  };
};

/** One line for a connection that did not work, with the most likely remedy. */
export const describeNetworkError = (error: unknown, url: string): string => {
  const code = networkCodeOf(error);
  switch (code) {
    case "ECONNREFUSED":
      return `cannot connect to ${url}: is \`spillway dev\` running? (another address: --url or SPILLWAY_URL)`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `cannot resolve ${new URL(url).hostname}: check --url or SPILLWAY_URL`;
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return `${url} does not answer in time`;
    default:
      return `the connection to ${url} failed: ${code ?? (error instanceof Error ? error.message : "unknown")}`;
  }
};

/** Node wraps the errors of several addresses of one name in an AggregateError without a code of its own. */
export const networkCodeOf = (error: unknown): string | undefined => {
  const { code, errors, cause } = error as { code?: unknown; errors?: ReadonlyArray<unknown>; cause?: unknown };
  if (typeof code === "string") return code;
  const inner = errors?.[0] ?? cause;
  return inner === undefined ? undefined : networkCodeOf(inner);
};
