import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type AccessPolicy, denialOf, pathOf } from "../api/access.ts";
import { boundedServer, refuse, type Refusal } from "../api/bounded-server.ts";
import type { RoutedAnswer } from "../api/routed-request.ts";
import { forwardUpgrades } from "./forward-upgrade.ts";
import { KnownAnswers } from "./known-answers.ts";
import type { MainLine } from "./main-line.ts";
import type { ControlThreadLimits, HealthDetails } from "./messages.ts";
import { healthAnswer, type OwnAnswer, ReadCounts, unreadyAnswer } from "./own-answers.ts";
import { type PulseWatch, pulseMillis } from "./pulse.ts";
import { Reads, type Reply } from "./reads.ts";
import { Refreshing } from "./refreshing.ts";
import { type SwitchCounts, switchCountsOf } from "./switch-counts.ts";
import { Bodies, crowded, passWrite } from "./writes.ts";

export interface ControlServerOptions {
  readonly policy: AccessPolicy;
  readonly dataUrl: string;
  readonly limits: ControlThreadLimits;
  readonly line: MainLine;
  readonly pulse: PulseWatch;
  readonly switches: SwitchCounts;
}

const connectionsMax = 1_024;
/** Of answers that slow clients have not read yet; the same answer counts for each of them. */
const unreadBytesMax = 268_435_456;

/** The HTTP server of the control thread: everything of the API but ingest. */
export class ControlServer {
  readonly http: Server = boundedServer(connectionsMax);
  private readonly options: ControlServerOptions;
  private readonly known: KnownAnswers;
  private readonly reads: Reads;
  private readonly refreshing: Refreshing;
  private readonly bodies = new Bodies();
  private readonly counts = new ReadCounts();
  private readonly ticking: NodeJS.Timeout;
  /** Told by `/healthz` beside the status. */
  health: HealthDetails = {};
  private unreadBytes = 0;
  private closing = false;

  constructor(options: ControlServerOptions) {
    const { limits, line, policy } = options;
    this.options = options;
    this.known = new KnownAnswers(limits.controlKeptBytesMax);
    this.reads = new Reads({
      line,
      known: this.known,
      limits,
      silentMillis: () => this.silentMillis(),
      nowMillis,
      wallMillis: () => performance.timeOrigin + performance.now(),
      onAnswered: (url, course) => this.refreshing.answered(url, course, nowMillis()),
    });
    this.refreshing = new Refreshing(this.reads);
    this.http.on("request", (request, response) => this.answer(request, response));
    // A client that asks first learns of a refusal before it sends its body.
    this.http.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      if (denialOf(policy, { url: request.url ?? "/", headers: request.headers }) === undefined) {
        response.writeContinue();
      }
      this.answer(request, response);
    });
    this.http.on("upgrade", forwardUpgrades(policy, options.dataUrl));
    // No effect runs on this thread.
    // @effect-diagnostics-next-line globalTimers:off
    this.ticking = setInterval(() => this.tick(), pulseMillis);
  }

  /** No new connection; ends what is idle, and the rest after its answer. */
  close(): void {
    this.closing = true;
    clearInterval(this.ticking);
    this.http.close();
    this.http.closeIdleConnections();
  }

  private tick(): void {
    this.options.pulse.look(nowMillis());
    this.reads.tick();
    this.refreshing.tick(nowMillis());
  }

  private silentMillis(): number {
    return this.options.pulse.silentMillis(nowMillis());
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { limits, line, policy } = this.options;
    const url = request.url ?? "/";
    if (this.closing) response.setHeader("connection", "close");
    const denial = denialOf(policy, { url, headers: request.headers });
    if (denial !== undefined) return refuse(response, denial);
    if (request.method === "GET" || request.method === "HEAD") {
      request.resume();
      const own = this.ownAnswer(pathOf(url), limits.controlSilentMillisMax);
      return own === undefined ? this.read(url, request, response) : sendOwn(response, own);
    }
    if (request.method === "POST" && pathOf(url).startsWith("/v1/ingest/")) {
      request.resume();
      return refuse(response, { status: 421, code: "data_address", message: this.ingestIsElsewhere() });
    }
    passWrite({ line, known: this.known, bodies: this.bodies }, request, (reply) => {
      if ("code" in reply) refuse(response, reply, retryLater);
      else this.send(response, reply, {});
    });
  }

  private ownAnswer(path: string, silentMillisMax: number): OwnAnswer | undefined {
    if (path === "/healthz") {
      const killSwitches = switchCountsOf(this.options.switches);
      const more = { ...(killSwitches === undefined ? {} : { killSwitches }), ...this.health };
      return healthAnswer(this.silentMillis(), silentMillisMax, more);
    }
    return path === "/readyz" ? unreadyAnswer(this.silentMillis(), silentMillisMax) : undefined;
  }

  private read(url: string, request: IncomingMessage, response: ServerResponse): void {
    this.refreshing.asked(url, nowMillis());
    const noCache = /\bno-cache\b/i.test(request.headers["cache-control"] ?? "");
    const reading: { abandon?: () => void } = {};
    const onClose = () => reading.abandon?.();
    response.once("close", onClose);
    // May reply before it returns.
    reading.abandon = this.reads.read(url, noCache, (reply) => {
      response.off("close", onClose);
      this.counts[reply.from].reads += 1;
      if (reply.from === "busy") return refuse(response, reply.why === "crowded" ? crowded : stalled, retryLater);
      this.send(response, pathOf(url) === "/metrics" ? this.withOwnMetrics(reply.answer) : reply.answer, asOf(reply));
    });
  }

  private withOwnMetrics(answer: RoutedAnswer): RoutedAnswer {
    if (answer.status !== 200) return answer;
    const own = Buffer.from(`\n${this.counts.metrics(this.silentMillis())}`);
    return { ...answer, body: new Uint8Array(Buffer.concat([answer.body, own])) };
  }

  private send(response: ServerResponse, { body, headers, status }: RoutedAnswer, more: Record<string, string>): void {
    if (this.unreadBytes + body.byteLength > unreadBytesMax) return refuse(response, crowded, retryLater);
    this.unreadBytes += body.byteLength;
    response.once("close", () => {
      this.unreadBytes -= body.byteLength;
    });
    const length = status === 204 ? {} : { "content-length": String(body.byteLength) };
    response.writeHead(status, { ...headers, ...length, ...more });
    response.end(body);
  }

  private ingestIsElsewhere(): string {
    return `This is the control address; records are taken at ${this.options.dataUrl}.`;
  }
}

const nowMillis = (): number => performance.now();

const retryLater = { "retry-after": "1" };

const stalled: Refusal = {
  status: 503,
  code: "busy",
  message: "The main thread is busy, and the answer is not known from before: come again in a second.",
};

/** When the answer was true, if that is not now. */
const asOf = (reply: Exclude<Reply, { readonly from: "busy" }>): Record<string, string> =>
  // @effect-diagnostics-next-line globalDate:off
  reply.from === "known" ? { "spillway-as-of": new Date(reply.asOfMillis).toISOString() } : {};

const sendOwn = (response: ServerResponse, { body, status }: OwnAnswer): void => {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
};
