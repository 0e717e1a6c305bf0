import { headers } from "@nats-io/transport-node";
import { Effect } from "effect";
import type { PushJob } from "../../../src/domain/push-job.ts";
import { type JobBucket, jobsStream } from "../../../src/streams/job-bucket.ts";
import { encodeJob } from "../../../src/streams/job-codec.ts";
import { NatsError } from "../../../src/streams/nats.ts";
import { jobSubject } from "../../../src/streams/subjects.ts";
import type { Link, ScriptedBus } from "./scripted-bus.ts";

/** What somebody ordered: a job's settings, or, without any, that it is no more. */
export interface Order {
  readonly id: string;
  readonly revision: number;
  readonly data: Uint8Array;
  readonly job: PushJob | undefined;
}

/** The bucket of push jobs in memory: every order that was ever given, the newest of each job in force. */
export class ScriptedJobs {
  private readonly bus: ScriptedBus;
  readonly created = "2026-11-14T00:00:00Z";
  readonly orders: Array<Order> = [];
  readonly newest = new Map<string, Order>();
  isSilent = false;
  /** What is new is told, but nobody is told of a single job what was ordered. */
  isAnswering = true;

  constructor(bus: ScriptedBus) {
    this.bus = bus;
    bus.serve = (subject, data, reply) => this.answer(subject, data, reply);
  }

  put(job: PushJob): void {
    this.order(job.id, encodeJob(job), job);
  }

  remove(id: string): void {
    this.order(id, new Uint8Array(), undefined);
  }

  /** Settings of all jobs that there are. */
  jobs(): ReadonlyArray<PushJob> {
    return [...this.newest.values()].flatMap(({ job }) => (job === undefined ? [] : [job]));
  }

  bucketOf(link: Link, connection: JobBucket["connection"]): JobBucket {
    const asked = <A>(answer: () => A) =>
      Effect.suspend(() =>
        this.isSilent || link.isDead || link.isCut
          ? Effect.fail(new NatsError({ operation: "kv", detail: "scripted", cause: undefined }))
          : Effect.sync(answer),
      );
    return {
      connection,
      read: (id: string) =>
        Effect.suspend(() =>
          this.isAnswering
            ? asked(() => {
                const order = this.newest.get(id);
                if (order === undefined) return undefined;
                return { revision: order.revision, removed: order.job === undefined, job: order.job };
              })
            : Effect.fail(new NatsError({ operation: "kv", detail: "scripted", cause: undefined })),
        ),
      describe: asked(() => ({ created: this.created, lastSequence: this.orders.length })),
    } as unknown as JobBucket;
  }

  private order(id: string, data: Uint8Array, job: PushJob | undefined): void {
    const order = { id, revision: this.orders.length + 1, data, job };
    this.orders.push(order);
    this.newest.set(id, order);
    this.bus.tell(jobSubject(id));
  }

  /** A Direct Get, as the server answers it: history 1, so of each job the newest order only. */
  private answer(subject: string, data: string, reply: (message: unknown) => void): boolean {
    if (subject !== `$JS.API.DIRECT.GET.${jobsStream}`) return false;
    if (this.isSilent) return true;
    const { batch, seq } = JSON.parse(data) as { readonly batch: number; readonly seq: number };
    const found = this.orders.filter(
      ({ id, revision }) => revision >= seq && this.newest.get(id)!.revision === revision,
    );
    for (const order of found.slice(0, batch)) {
      const head = headers();
      head.set("Nats-Sequence", String(order.revision));
      head.set("Nats-Subject", jobSubject(order.id));
      head.set("Nats-Time-Stamp", "2026-11-14T00:00:00Z");
      if (order.job === undefined) head.set("KV-Operation", "DEL");
      reply({ headers: head, data: order.data, subject: "" });
    }
    reply({ headers: headers(204, "EOB"), data: new Uint8Array(), subject: "" });
    return true;
  }
}
