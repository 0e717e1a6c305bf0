// Plain Node on a thread of its own: no effect runs here.
// @effect-diagnostics globalTimers:off globalDate:off
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { type DrillRecord, isStranger, parseRecord } from "./drill-record.ts";
import { LagHistogram } from "./lag-histogram.ts";
import {
  type ArrivalCounts,
  type Behaviour,
  movedPath,
  type Offered,
  type PhaseLag,
  type PhaseStart,
  type Reckoning,
  type SinkData,
} from "./messages.ts";
import { SeenSequences } from "./seen-sequences.ts";

const bodyBytesMax = 134_217_728;
const inflatedBytesMax = 536_870_912;

interface PhaseArrivals extends PhaseStart {
  readonly lags: LagHistogram;
  lastArrivalMillis: number | undefined;
}

/** A batch that has come and has no answer yet. */
interface Waiting {
  readonly records: ReadonlyArray<DrillRecord>;
  readonly response: ServerResponse;
  readonly timer: NodeJS.Timeout | undefined;
}

/** One customer's destination. */
class Destination {
  behaviour: Behaviour = { kind: "well" };
  readonly seen = new SeenSequences();
  readonly phases: Array<PhaseArrivals> = [];
  readonly waiting = new Set<Waiting>();
  poison: number | undefined;
}

/** HTTP destinations that count what comes, and answer as they are told. A batch counts when it is answered 200. */
export class Sink {
  private readonly destinations: ReadonlyMap<string, Destination>;
  private readonly servers: ReadonlyArray<Server>;
  private readonly host: string;
  private readonly deliveredAt = new Map<number, number>();
  private phases: ReadonlyArray<PhaseStart> = [];
  private delivered = 0;
  private duplicates = 0;
  private misdelivered = 0;
  private strangersDelivered = 0;
  private batches = 0;
  private movedMillis: number | null = null;

  constructor({ customers, host, hosts }: SinkData) {
    this.host = host;
    this.destinations = new Map(customers.map((customer) => [customer, new Destination()]));
    this.servers = Array.from({ length: hosts }, () => {
      const server = createServer((request, response) => this.receive(request, response));
      server.keepAliveTimeout = 60_000;
      return server;
    });
  }

  /** Answers the origins, one per host. */
  async listen(): Promise<ReadonlyArray<string>> {
    return Promise.all(
      this.servers.map(
        (server) =>
          new Promise<string>((resolve, reject) => {
            server.once("error", reject);
            server.listen(0, this.host, () => {
              const { port } = server.address() as AddressInfo;
              resolve(`http://${this.host.includes(":") ? `[${this.host}]` : this.host}:${port}`);
            });
          }),
      ),
    );
  }

  counts(): ArrivalCounts {
    const { batches, delivered, duplicates, misdelivered, strangersDelivered } = this;
    return { batches, delivered, duplicates, misdelivered, strangersDelivered };
  }

  beginPhase(phase: PhaseStart): void {
    this.phases = [...this.phases, phase];
    for (const { phases } of this.destinations.values()) {
      phases.push({ ...phase, lags: new LagHistogram(), lastArrivalMillis: undefined });
    }
  }

  /** What waits is answered at once: as the new behaviour would. */
  behave(customers: ReadonlyArray<string>, behaviour: Behaviour): void {
    for (const customer of customers) {
      const destination = this.destinations.get(customer);
      if (destination === undefined) continue;
      destination.behaviour = behaviour;
      const kept = [...destination.waiting];
      destination.waiting.clear();
      for (const waiting of kept) {
        clearTimeout(waiting.timer);
        this.respond(destination, waiting.records, waiting.response);
      }
    }
  }

  reckon(offered: ReadonlyArray<Offered>, steady: ReadonlyArray<string>): Reckoning {
    const arrived = offered.map(({ customer, notAcknowledged }) => {
      const seen = this.destinations.get(customer)?.seen ?? new SeenSequences();
      let among = 0;
      for (const [first, last] of notAcknowledged)
        for (let seq = first; seq <= last; seq++) if (seen.has(seq)) among += 1;
      return { customer, delivered: seen.count, deliveredNotAcknowledged: among };
    });
    const lags = this.phases.map((phase, at) => this.lagOf(phase, at, steady));
    return {
      type: "reckoning",
      counts: this.counts(),
      arrived,
      deliveredAt: this.deliveredAt,
      lags,
      movedMillis: this.movedMillis,
    };
  }

  private lagOf({ name }: PhaseStart, index: number, steady: ReadonlyArray<string>): PhaseLag {
    const all = new LagHistogram();
    for (const customer of steady) {
      const phase = this.destinations.get(customer)?.phases[index];
      if (phase !== undefined) all.merge(phase.lags);
    }
    const arrivals = [...this.destinations.values()].flatMap(({ phases }) => phases[index]?.lastArrivalMillis ?? []);
    return {
      phase: name,
      records: all.count,
      p50Millis: all.quantile(0.5),
      p99Millis: all.quantile(0.99),
      lastArrivalMillis: arrivals.length === 0 ? null : arrivals.reduce((latest, at) => Math.max(latest, at), 0),
    };
  }

  private receive(request: IncomingMessage, response: ServerResponse): void {
    const parts: Array<Buffer> = [];
    let bytes = 0;
    request.on("error", () => {});
    response.on("error", () => {});
    request.on("data", (part: Buffer) => {
      bytes += part.byteLength;
      if (bytes > bodyBytesMax) request.destroy();
      else parts.push(part);
    });
    request.on("end", () => {
      const [customer = "", moved] = (request.url ?? "/").slice(1).split("/");
      const destination = this.destinations.get(customer);
      const records = readRecords(Buffer.concat(parts), request.headers["content-encoding"]);
      if (records !== undefined && isStranger(customer)) return this.takeOfStranger(customer, records, response);
      if (destination === undefined || records === undefined) {
        this.misdelivered += 1;
        response.writeHead(404).end();
        return;
      }
      if (moved === movedPath) this.movedMillis ??= Date.now();
      this.respond(destination, records, response);
    });
  }

  /** Who has a push job for a while, by a fault or a wave, has a destination that takes everything. */
  private takeOfStranger(customer: string, records: ReadonlyArray<DrillRecord>, response: ServerResponse): void {
    for (const { Customer } of records) {
      if (Customer === customer) this.strangersDelivered += 1;
      else this.misdelivered += 1;
    }
    response.writeHead(200).end();
  }

  private respond(destination: Destination, records: ReadonlyArray<DrillRecord>, response: ServerResponse): void {
    const { behaviour } = destination;
    switch (behaviour.kind) {
      case "well":
        return this.take(destination, records, response);
      case "failing":
        response.writeHead(behaviour.status).end();
        return;
      case "hanging":
        return this.keep(destination, { records, response, timer: undefined });
      case "slow": {
        const timer = setTimeout(() => {
          destination.waiting.delete(waiting);
          this.take(destination, records, response);
        }, behaviour.millis);
        const waiting: Waiting = { records, response, timer };
        return this.keep(destination, waiting);
      }
      case "poisoned": {
        destination.poison ??= records[Math.floor(records.length / 2)]?.seq;
        if (!records.some(({ seq }) => seq === destination.poison)) return this.take(destination, records, response);
        response.writeHead(behaviour.status).end();
      }
    }
  }

  /** Who goes away without an answer is not kept: the batch comes again. */
  private keep(destination: Destination, waiting: Waiting): void {
    destination.waiting.add(waiting);
    waiting.response.once("close", () => {
      clearTimeout(waiting.timer);
      destination.waiting.delete(waiting);
    });
  }

  private take(destination: Destination, records: ReadonlyArray<DrillRecord>, response: ServerResponse): void {
    if (response.destroyed) return;
    const now = Date.now();
    this.batches += 1;
    for (const { Customer, sent, seq } of records) {
      if (this.destinations.get(Customer) !== destination) this.misdelivered += 1;
      else if (destination.seen.add(seq)) this.count(destination, sent, now);
      else this.duplicates += 1;
    }
    response.writeHead(200).end();
  }

  private count(destination: Destination, sent: number, now: number): void {
    this.delivered += 1;
    const second = Math.floor(sent / 1_000);
    this.deliveredAt.set(second, (this.deliveredAt.get(second) ?? 0) + 1);
    const phase = destination.phases.findLast(({ fromMillis }) => sent >= fromMillis);
    phase?.lags.add(now - sent);
    if (phase !== undefined) phase.lastArrivalMillis = now;
  }
}

/** Undefined: it is not what Spillway was given. */
const readRecords = (body: Buffer, encoding: string | undefined): ReadonlyArray<DrillRecord> | undefined => {
  let text: string;
  try {
    text = (encoding === "gzip" ? gunzipSync(body, { maxOutputLength: inflatedBytesMax }) : body).toString("utf8");
  } catch {
    return undefined;
  }
  const records: Array<DrillRecord> = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const record = parseRecord(line);
    if (record === undefined) return undefined;
    records.push(record);
  }
  return records;
};
