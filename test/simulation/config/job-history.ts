import { PushJob } from "../../../src/domain/push-job.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";

/** One change that somebody ordered. */
export interface Order {
  readonly id: string;
  readonly revision: number;
  /** Undefined: it was removed. */
  readonly job: PushJob | undefined;
  readonly data: Uint8Array;
}

/** All that people and scripts ever ordered of push jobs: the truth that everything served is compared with. */
export class OrderedJobs {
  /** In sequence; a revision is a sequence. */
  readonly orders: Array<Order> = [];
  private readonly newest = new Map<string, Order>();
  private readonly byRevision = new Map<string, Order>();

  get sequence(): number {
    return this.orders.length;
  }

  order(id: string, job: PushJob | undefined): void {
    const data = job === undefined ? new Uint8Array() : encodeJob(job);
    const order = { id, job, data, revision: this.orders.length + 1 };
    this.orders.push(order);
    this.newest.set(id, order);
    this.byRevision.set(`${id} ${order.revision}`, order);
  }

  newestOf(id: string): Order | undefined {
    return this.newest.get(id);
  }

  at(id: string, revision: number): Order | undefined {
    return this.byRevision.get(`${id} ${revision}`);
  }

  /** All settings that were ever ordered under an id. */
  ofJob(id: string): ReadonlyArray<PushJob> {
    return this.orders.flatMap((order) => (order.id === id && order.job !== undefined ? [order.job] : []));
  }

  /** That are there. */
  jobs(): ReadonlyArray<Order & { readonly job: PushJob }> {
    return [...this.newest.values()].flatMap(({ job, ...order }) => (job === undefined ? [] : [{ ...order, job }]));
  }

  /** Whether somebody ordered, at a revision or since, that it be delivered no more. */
  isStopped(id: string, since: number): boolean {
    return this.orders.some((order) => order.id === id && order.revision >= since && order.job?.enabled !== true);
  }
}

/** Named as a drill's customers are: a drill that breaks the generator knows whose strangers to make jobs for. */
export const jobOf = (customer: number, over: object = {}): PushJob =>
  PushJob.make({
    id: `job-drill-ab-${customer}`,
    customer: `drill-ab-${customer}`,
    dataset: "http_requests",
    enabled: true,
    destination: { kind: "file", path: "/out" },
    batch: { maxBytes: 5_000_000, maxRecords: 100_000, maxIntervalSeconds: 30 },
    ...over,
  } as never);
