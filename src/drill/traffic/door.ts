import { Agent, request as httpRequest } from "node:http";
import { Agent as SecureAgent, request as httpsRequest } from "node:https";

export interface DoorAnswer {
  /** 0: there was none. */
  readonly status: number;
  readonly accepted: number;
  readonly unconfigured: number;
  /** Without any credential, for people. */
  readonly text: string;
  readonly retryAfterMillis: number;
}

const socketsMax = 512;
const answerCharactersMax = 65_536;

/** The ingest API of some nodes, taken in turn. */
export class Door {
  private readonly urls: ReadonlyArray<string>;
  private readonly token: string | undefined;
  private readonly agents = {
    "http:": new Agent({ keepAlive: true, maxSockets: socketsMax }),
    "https:": new SecureAgent({ keepAlive: true, maxSockets: socketsMax }),
  };
  private turn = 0;

  constructor(urls: ReadonlyArray<string>, token: string | undefined) {
    this.urls = urls;
    this.token = token;
  }

  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  /** Never rejects. */
  post(
    dataset: string,
    body: Buffer,
    who: { readonly customer: string | undefined; readonly key: string | undefined },
    millisMax: number,
  ): Promise<DoorAnswer> {
    const url = new URL(`${this.urls[this.turn++ % this.urls.length]}/v1/ingest/${dataset}`);
    const isSecure = url.protocol === "https:";
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(Math.ceil(millisMax));
      const failed = (error: Error) => resolve({ ...noAnswer, text: error.message });
      const sending = (isSecure ? httpsRequest : httpRequest)(url, {
        method: "POST",
        agent: this.agents[isSecure ? "https:" : "http:"],
        signal,
        headers: {
          "content-type": "application/x-ndjson",
          "content-length": body.length,
          ...(who.customer === undefined ? {} : { "spillway-customer": who.customer }),
          ...(who.key === undefined ? {} : { "idempotency-key": who.key }),
          ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        },
      });
      sending.on("error", failed);
      sending.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (text = (text + part).slice(0, answerCharactersMax)));
        response.on("error", failed);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            ...countsOf(text),
            text: text.slice(0, 300),
            retryAfterMillis: Number(response.headers["retry-after"] ?? 0) * 1_000 || 0,
          }),
        );
      });
      sending.end(body);
    });
  }
}

const noAnswer: DoorAnswer = { status: 0, accepted: 0, unconfigured: 0, text: "", retryAfterMillis: 0 };

const count = (value: unknown): number => (typeof value === "number" ? value : 0);

const countsOf = (text: string): { readonly accepted: number; readonly unconfigured: number } => {
  try {
    const { accepted, unconfigured } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { accepted: count(accepted), unconfigured: count(unconfigured) };
  } catch {
    return { accepted: 0, unconfigured: 0 };
  }
};
