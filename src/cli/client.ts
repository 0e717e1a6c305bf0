import { Console, Effect } from "effect";
import { hostname, userInfo } from "node:os";
import { Agent, request } from "undici";
import { readAnswerText } from "./answer-body.ts";
import { type CommandFailure, failed } from "./command-failure.ts";
import { authorizationOf, type Connection } from "./connection.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly etag: string | undefined;
  /** When this was so, if the node was too busy to look again. */
  readonly asOf: string | undefined;
  /** Decoded JSON; undefined for an empty body. */
  readonly body: unknown;
}

export interface ApiRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Statuses that the caller handles; any other one that is not 2xx fails the command. */
  readonly expect?: ReadonlyArray<number>;
  /** How long the answer may take; an audit reads the whole log. */
  readonly millisMax?: number;
}

const requestMillisMax = 30_000;
const answerBytesMax = 64 * 1_048_576;

/** Speaks to one node's API; every failure is a line for people. */
export interface ApiClient {
  readonly ask: (request: ApiRequest) => Effect.Effect<ApiAnswer, CommandFailure>;
}

export const openClient = Effect.fnUntraced(function* (connection: Connection) {
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: 1, connectTimeout: 5_000 })),
    (open) => Effect.promise(() => open.destroy()),
  );
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

const exchange = async (
  agent: Agent,
  connection: Connection,
  asked: ApiRequest,
  signal: AbortSignal,
): Promise<ApiAnswer> => {
  const millisMax = asked.millisMax ?? requestMillisMax;
  const response = await request(`${connection.url}${asked.path}`, {
    dispatcher: agent,
    method: asked.method,
    signal,
    headersTimeout: millisMax,
    bodyTimeout: millisMax,
    headers: {
      ...authorizationOf(connection),
      ...(asked.method === "GET" ? {} : accountOf(connection)),
      ...(asked.json === undefined ? {} : { "content-type": "application/json" }),
      ...asked.headers,
    },
    body: asked.json === undefined ? null : JSON.stringify(asked.json),
  });
  const text = await readAnswerText(response.body, answerBytesMax);
  const { etag, "spillway-as-of": asOf } = response.headers;
  return {
    status: response.statusCode,
    etag: typeof etag === "string" ? etag : undefined,
    asOf: typeof asOf === "string" ? asOf : undefined,
    body: parseAnswer(text),
  };
};

/** Who changes something, and why: for the audit log. */
const accountOf = ({ reason }: Connection): Readonly<Record<string, string>> => ({
  "spillway-actor": headerText(actorName()),
  ...(reason === undefined ? {} : { "spillway-reason": headerText(reason) }),
});

/** Who runs this command, for the audit log. */
export const actorName = (): string => `${userName()}@${hostname()}`;

/** A process may run under a number that has no name. */
const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
};

/** One line, of printable characters. */
export const headerText = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 500);

/** A proxy in between may answer with something that is not JSON: its text is kept as the message. */
const parseAnswer = (text: string): unknown => {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return { error: { code: "not_json", message: text.slice(0, 200) } };
  }
};

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
