import { Agent, request } from "undici";
import { readAnswerText } from "./answer-body.ts";
import { accountOf } from "./account.ts";
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

export const openAgent = (): Agent => new Agent({ connections: 1, connectTimeout: 5_000 });

/** One request and its whole answer, whatever its status. */
export const exchange = async (
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

/** A proxy in between may answer with something that is not JSON: its text is kept as the message. */
const parseAnswer = (text: string): unknown => {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return { error: { code: "not_json", message: text.slice(0, 200) } };
  }
};
