import type { IncomingMessage, ServerResponse } from "node:http";
import type { IngestHandler } from "../../src/api/ports.ts";

export interface Received {
  readonly dataset: string;
  readonly customer: string | undefined;
  readonly customerField: string | undefined;
  readonly key: string | undefined;
  readonly lines: ReadonlyArray<string>;
}

/** What to do with a request; `hang` never answers, `reset` cuts the connection. */
export type Step =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | "accept"
  | "reset"
  | "hang";

const one = (value: string | ReadonlyArray<string> | undefined) => (typeof value === "string" ? value : undefined);

/** An ingest handler that follows a script, then accepts everything; remembers what it got. */
export class ScriptedIngest {
  readonly received: Array<Received> = [];
  readonly #script: Array<Step>;
  #onReceive: () => void = () => {};
  readonly firstReceived = new Promise<void>((resolve) => (this.#onReceive = resolve));

  constructor(script: ReadonlyArray<Step> = []) {
    this.#script = [...script];
  }

  /** Lines that were accepted, in the order of their requests. */
  readonly accepted: Array<string> = [];

  readonly handle: IngestHandler = (request, response, dataset) => {
    const parts: Array<Buffer> = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => this.#answer(request, response, dataset, Buffer.concat(parts).toString()));
  };

  #answer(request: IncomingMessage, response: ServerResponse, dataset: string, text: string): void {
    const lines = text.split("\n").slice(0, -1);
    const { headers } = request;
    this.received.push({
      dataset,
      customer: one(headers["spillway-customer"]),
      customerField: one(headers["spillway-customer-field"]),
      key: one(headers["idempotency-key"]),
      lines,
    });
    this.#onReceive();
    const step = this.#script.shift() ?? "accept";
    if (step === "hang") return;
    if (step === "reset") {
      request.socket.destroy();
      return;
    }
    const records = lines.filter((line) => line.trim() !== "");
    if (step === "accept") this.accepted.push(...records);
    const {
      status,
      body,
      headers: extra,
    } = step === "accept"
      ? { status: 200, body: { accepted: records.length, unconfigured: 0, refused: [] }, headers: {} }
      : { headers: {}, ...step };
    response.writeHead(status, { "content-type": "application/json", ...extra });
    response.end(JSON.stringify(body));
  }
}
