// Plain Node on a thread of its own: no effect runs here.
// @effect-diagnostics globalTimers:off globalDate:off
import { randomBytes } from "node:crypto";
import { BodyBuilder, drillDataset, strangerName } from "./drill-record.ts";
import { Door, type DoorAnswer } from "./door.ts";
import { type FromProducer, noOffers, type OfferCounts, type ProducerData, type SequenceRange } from "./messages.ts";

const pauseMillis = 200;
const pauseMillisMax = 1_000;
const problemsMax = 5;
/** No compressor of Spillway's looks back so far. */
const noiseBytes = 6_291_456;
/** Requests of strangers on their way at once, some MB of memory; nobody repeats those. */
const strangersInFlightMax = 32;
const strangersPerBodyMax = 2_000;

/** One customer, and what became of its records. */
class Customer {
  readonly name: string;
  factor = 1;
  /** Records that are due and not offered yet, a fraction. */
  due = 0;
  next = 0;
  readonly notAcknowledged: Array<SequenceRange> = [];

  constructor(name: string) {
    this.name = name;
  }
}

type Counts = { -readonly [K in keyof Omit<OfferCounts, "strangers">]: number } & {
  readonly strangers: { -readonly [K in keyof OfferCounts["strangers"]]: number };
};

/**
 * Honest producers: each customer offers its records at its rate, whatever becomes of the ones before, repeats a
 * request that was refused or had no answer under the same key, and gives up after `offerMillisMax`.
 */
export class Producer {
  private readonly data: ProducerData;
  private readonly door: Door;
  private readonly bodies: BodyBuilder;
  private readonly customers: ReadonlyMap<string, Customer>;
  private readonly counted: Counts = noOffers();
  private readonly offeredAt = new Map<number, number>();
  private readonly problems: Array<string> = [];
  private readonly ticking: NodeJS.Timeout;
  private strangers = { count: 0, recordsPerSecond: 0, due: 0, next: 0, inFlight: 0 };
  private tickedMillis = performance.now();
  private open = 0;
  private stopped: (() => void) | undefined;

  constructor(data: ProducerData) {
    this.data = data;
    this.door = new Door(data.urls, data.token);
    this.bodies = new BodyBuilder(randomBytes(noiseBytes).toString("base64"), data.recordBytes);
    this.customers = new Map(data.customers.map((name) => [name, new Customer(name)]));
    // Spread over the time between two requests of one customer: they must not come all at once.
    let turn = 0;
    for (const customer of this.customers.values()) {
      customer.due = -((turn++ / this.customers.size) * data.recordsPerSecond * data.requestMillis) / 1_000;
    }
    this.ticking = setInterval(() => this.tick(), Math.max(10, Math.min(50, data.requestMillis / 5)));
  }

  counts(): OfferCounts {
    return { ...this.counted, strangers: { ...this.counted.strangers } };
  }

  rate(names: ReadonlyArray<string>, factor: number): void {
    for (const name of names) {
      const customer = this.customers.get(name);
      if (customer !== undefined) customer.factor = factor;
    }
  }

  offerStrangers(count: number, recordsPerSecond: number): void {
    this.strangers = { ...this.strangers, count, recordsPerSecond, due: 0 };
  }

  /** Resolves when nothing is on its way any more. */
  async stop(): Promise<FromProducer> {
    clearInterval(this.ticking);
    if (this.open > 0) await new Promise<void>((resolve) => (this.stopped = resolve));
    this.door.close();
    const offered = [...this.customers.values()].map(({ name, next, notAcknowledged }) => ({
      customer: name,
      records: next,
      notAcknowledged,
    }));
    return { type: "stopped", counts: this.counts(), offered, offeredAt: this.offeredAt, problems: this.problems };
  }

  private tick(): void {
    const now = performance.now();
    const seconds = (now - this.tickedMillis) / 1_000;
    this.tickedMillis = now;
    const { recordsPerSecond, requestMillis } = this.data;
    for (const customer of this.customers.values()) {
      const perSecond = recordsPerSecond * customer.factor;
      customer.due += perSecond * seconds;
      if (customer.due < Math.max(1, (perSecond * requestMillis) / 1_000)) continue;
      const records = Math.floor(customer.due);
      customer.due -= records;
      void this.offer(customer, records);
    }
    this.offerStrange(seconds);
  }

  private async offer(customer: Customer, records: number): Promise<void> {
    const first = customer.next;
    customer.next += records;
    const sent = Date.now();
    this.counted.offered += records;
    const second = Math.floor(sent / 1_000);
    this.offeredAt.set(second, (this.offeredAt.get(second) ?? 0) + records);
    const body = Buffer.from(this.bodies.body(customer.name, first, records, sent));
    const key = `${this.data.run}-${customer.name}-${first}`;
    this.open += 1;
    const answer = await this.insist(customer.name, key, body);
    this.open -= 1;
    this.settle(customer, [first, first + records - 1], answer);
    if (this.open === 0) this.stopped?.();
  }

  /** Answers what was said last. */
  private async insist(customer: string, key: string, body: Buffer): Promise<DoorAnswer> {
    const deadline = performance.now() + this.data.offerMillisMax;
    for (;;) {
      const leftMillis = deadline - performance.now();
      const answer = await this.door.post(drillDataset, body, { customer, key }, Math.max(1, leftMillis));
      if (answer.status === 200) return answer;
      if (answer.status === 0) this.counted.requestsFailed += 1;
      else if (answer.status === 429 || answer.status >= 500) this.counted.requestsRefused += 1;
      else return answer;
      const pause = Math.min(pauseMillisMax, Math.max(pauseMillis, answer.retryAfterMillis));
      if (performance.now() + pause >= deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  private settle(customer: Customer, range: SequenceRange, answer: DoorAnswer): void {
    const records = range[1] - range[0] + 1;
    const accepted = answer.status === 200 ? Math.min(records, answer.accepted) : 0;
    const unconfigured = answer.status === 200 ? Math.min(records - accepted, answer.unconfigured) : 0;
    this.counted.acknowledged += accepted;
    this.counted.unconfigured += unconfigured;
    this.counted.gaveUp += records - accepted - unconfigured;
    // One customer's records of one body have one fate; should they not, none of them counts as acknowledged.
    if (accepted < records) customer.notAcknowledged.push(range);
    const isFinal = answer.status !== 200 && answer.status !== 0 && answer.status !== 429 && answer.status < 500;
    if (isFinal && this.problems.length < problemsMax) this.problems.push(`${answer.status}: ${answer.text}`);
  }

  private offerStrange(seconds: number): void {
    const { strangers } = this;
    if (strangers.recordsPerSecond === 0) return;
    strangers.due = Math.min(strangersPerBodyMax * 4, strangers.due + strangers.recordsPerSecond * seconds);
    while (strangers.due >= 1 && strangers.inFlight < strangersInFlightMax) {
      const records = Math.min(strangersPerBodyMax, Math.floor(strangers.due));
      strangers.due -= records;
      void this.offerBodyOfStrangers(records);
    }
  }

  private async offerBodyOfStrangers(records: number): Promise<void> {
    const { strangers } = this.counted;
    const sent = Date.now();
    let text = "";
    for (let i = 0; i < records; i++) {
      const seq = this.strangers.next++;
      text += this.bodies.line(strangerName(this.data.run, seq % this.strangers.count), seq, sent);
    }
    strangers.offered += records;
    this.strangers.inFlight += 1;
    this.open += 1;
    const mixed = { customer: undefined, key: undefined };
    const answer = await this.door.post(drillDataset, Buffer.from(text), mixed, this.data.offerMillisMax);
    this.strangers.inFlight -= 1;
    this.open -= 1;
    if (answer.status === 200) {
      strangers.accepted += answer.accepted;
      strangers.unconfigured += answer.unconfigured;
    }
    if (this.open === 0) this.stopped?.();
  }
}
