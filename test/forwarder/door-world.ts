import { Effect, Layer, type Scope } from "effect";
import { createServer, request, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { readFileSync } from "node:fs";
import { Backlogs, type PartitionReport } from "../../src/actors/ports/backlogs.ts";
import { KillSwitches, type KillSwitchesView, noKillSwitches } from "../../src/actors/ports/kill-switches.ts";
import { NodeAdmission } from "../../src/actors/ports/node-admission.ts";
import { ReportBook } from "../../src/streams/report-book.ts";
import { Jobs, type JobSet } from "../../src/actors/ports/jobs.ts";
import { type AckTimeout, Outbox, type OutboxFull, type RecordSpans } from "../../src/actors/ports/outbox.ts";
import type { Dataset } from "../../src/domain/dataset.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";
import { type Ingest, makeIngest } from "../../src/forwarder/ingest.ts";
import { type Piece, piecesOf } from "../support/world.ts";

export const defaultLimits: Limits = (
  JSON.parse(readFileSync(new URL("../../config/default.json", import.meta.url), "utf8")) as { limits: Limits }
).limits;

const dataset = (name: string, more: Partial<Dataset> = {}): Dataset =>
  ({ name, fields: {}, ...more }) as unknown as Dataset;

/** `logs` names no customer; `mixed` does, in the field `customer`; `strict` must be JSON. */
const catalogue = new Map(
  [dataset("logs"), dataset("mixed", { customerField: "customer" }), dataset("strict", { validate: true })].map(
    (each) => [each.name as string, each],
  ),
);

export const jobSetOf = (pairs: ReadonlyArray<readonly [customer: string, dataset: string]>): JobSet => ({
  number: 1,
  byId: new Map(),
  byPair: new Map(),
  pairs: new Map(pairs.map(([customer, name]) => makePair(customer, name, 8)).map((pair: Pair) => [pair.key, pair])),
});

/** Both datasets of two customers have push jobs. */
export const twoCustomers = jobSetOf(
  ["acme", "globex"].flatMap((customer) => ["logs", "mixed", "strict"].map((name) => [customer, name] as const)),
);

/** Keeps what was written, and answers what the test tells it to. */
export class ScriptedOutbox {
  readonly writes: Array<{ readonly pieces: ReadonlyArray<Piece>; readonly key: string | undefined }> = [];
  /** The same, in the door's own memory. */
  readonly taken: Array<RecordSpans> = [];
  answer: Effect.Effect<void, OutboxFull | AckTimeout> = Effect.void;

  readonly service = Outbox.of({
    write: (spans, key) =>
      Effect.suspend(() => {
        this.taken.push(spans);
        // Copied: after the ack the door may use the memory again.
        this.writes.push({ pieces: piecesOf(spans), key });
        return this.answer;
      }),
    bytes: () => 0,
  });

  /** All that was written for a pair, in order. */
  stored(customer: string, name: string): string {
    return this.storedBytes(customer, name).toString("latin1");
  }

  storedBytes(customer: string, name: string): Buffer {
    const pieces = this.writes.flatMap(({ pieces: own }) => own);
    return Buffer.concat(pieces.filter(({ pair }) => pair.key === `${customer}.${name}`).map(({ data }) => data));
  }
}

/** What owners have told, as a test has them tell it: through the book that a node keeps. */
export class ScriptedBacklogs {
  private readonly book = new ReportBook(8);
  readonly service: Backlogs["Service"] = {
    partitions: 8,
    publish: (report) => Effect.sync(() => void this.book.accept(report, Date.now())),
    latest: (partition) => this.book.latest(partition),
  };

  /** A report that arrives so many milliseconds ago. */
  tell(report: PartitionReport, agoMillis = 0): boolean {
    return this.book.accept(report, Date.now() - agoMillis);
  }
}

export const openAdmission: NodeAdmission["Service"] = {
  state: () => "open",
  mayCreate: () => true,
  see: () => undefined,
  mayPublish: () => true,
  published: () => undefined,
  watchResidents: () => undefined,
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly json: any;
}

export interface World {
  readonly port: number;
  readonly ingest: Ingest;
  readonly outbox: ScriptedOutbox;
  readonly backlogs: ScriptedBacklogs;
  /** Replaced to change the push jobs. */
  readonly jobs: { set: JobSet };
  readonly post: (
    path: string,
    body: Buffer | string,
    headers?: Readonly<Record<string, string>>,
  ) => Effect.Effect<Answer>;
  /** A connection of its own, for what no HTTP client would send. */
  readonly raw: Effect.Effect<RawConnection>;
}

/** A real node:http server with the door behind `/v1/ingest/`, on a free port, with a scripted outbox. */
export const openDoor = Effect.fnUntraced(function* (
  limits: Partial<Limits> = {},
  options: {
    readonly checkContinue?: boolean;
    readonly admission?: NodeAdmission["Service"];
    /** Instead of the scripted one. */
    readonly outbox?: Outbox["Service"];
    readonly switches?: KillSwitchesView;
  } = {},
): Effect.fn.Return<World, never, Scope.Scope> {
  const outbox = new ScriptedOutbox();
  const backlogs = new ScriptedBacklogs();
  const jobs = { set: twoCustomers };
  const ports = Layer.mergeAll(
    Layer.succeed(Outbox, options.outbox ?? outbox.service),
    Layer.succeed(Backlogs, backlogs.service),
    Layer.succeed(NodeAdmission, options.admission ?? openAdmission),
    Layer.succeed(Jobs, {
      served: () => jobs.set,
      onChange: (adopt) => adopt(jobs.set),
      atRevision: () => Effect.succeed(undefined),
      absence: () => Effect.succeed("forgotten" as const),
    }),
  );
  const ingest = yield* makeIngest({ limits: { ...defaultLimits, ...limits }, datasets: catalogue }).pipe(
    Effect.provide(ports),
    Effect.provideService(KillSwitches, options.switches ?? noKillSwitches),
  );
  const port = yield* listen(ingest, options.checkContinue ?? true);
  return {
    port,
    ingest,
    outbox,
    backlogs,
    jobs,
    post: (path, body, headers = {}) => Effect.promise(() => post(port, path, body, headers)),
    raw: Effect.promise(() => RawConnection.open(port)),
  };
});

const listen = (ingest: Ingest, checkContinue: boolean) =>
  Effect.acquireRelease(
    Effect.promise(() => serve(requestListener(ingest), checkContinue)),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections();
        server.close();
      }),
  ).pipe(Effect.map((server) => (server.address() as AddressInfo).port));

const requestListener =
  (ingest: Ingest): RequestListener =>
  (incoming, response) =>
    ingest.handle(incoming, response, incoming.url!.split("/")[3]!.split("?")[0]!);

const serve = (listener: RequestListener, checkContinue: boolean): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer(listener);
    if (checkContinue) server.on("checkContinue", listener);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });

const post = (port: number, path: string, body: Buffer | string, headers: Readonly<Record<string, string>>) =>
  new Promise<Answer>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method: "POST", path, agent: false, headers }, (response) => {
      const parts: Array<Buffer> = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          json: JSON.parse(Buffer.concat(parts).toString()),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });

/** Bytes in, bytes out. */
export class RawConnection {
  private readonly socket: Socket;
  received = "";
  ended = false;
  private told: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    const tell = () => this.told?.();
    socket.on("data", (part) => {
      this.received += part.toString("latin1");
      tell();
    });
    socket.on("close", () => {
      this.ended = true;
      tell();
    });
    socket.on("error", () => {});
  }

  static readonly open = (port: number): Promise<RawConnection> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new RawConnection(socket)));
    });

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Completes when what came satisfies the condition; fails the test when the connection ends before. */
  readonly until = (holds: (received: string) => boolean): Effect.Effect<string> =>
    Effect.callback<string>((resume) => {
      const look = () => {
        if (holds(this.received)) resume(Effect.succeed(this.received));
        else if (this.ended) resume(Effect.die(new Error(`the connection ended after: ${this.received}`)));
      };
      this.told = look;
      look();
    });
}

/** Polls until the condition holds. */
export const eventually = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(5), eventually(holds)))).pipe(
    Effect.timeout(5_000),
    Effect.orDie,
  );
