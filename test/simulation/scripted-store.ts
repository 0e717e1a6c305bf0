import { Effect, Layer } from "effect";
import { gunzipSync } from "node:zlib";
import { Destinations, type PushRequest } from "../../src/actors/ports/destinations.ts";
import type { PushJob } from "../../src/domain/push-job.ts";
import { deferred, delivered, type PushOutcome, rejected } from "../../src/domain/push-outcome.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import { poisonMark } from "./scripted-log.ts";

export interface StoredObject {
  readonly job: string;
  readonly batchId: string;
  readonly first: number;
  readonly last: number;
  readonly content: string;
}

const contentOf = ({ body }: Pick<PushRequest, "body">): string => gunzipSync(Buffer.concat(body)).toString("utf8");

/** What is wrong with a destination. */
export const tempers = ["hanging", "failing", "throttling", "refusing"] as const;
export type Temper = (typeof tempers)[number];
/** As long as a push may take: here nobody ends it sooner. */
const hangMillis = 5_000;

/** An object store in memory: one object per batch id, whoever pushes it and how often. */
export class ScriptedStore {
  /** In the order in which they landed. */
  readonly objects: Array<StoredObject> = [];
  /** What must never happen: two contents under one key. */
  readonly violations: Array<string> = [];
  readonly pushes = { all: 0, repeated: 0, ambiguous: 0, died: 0 };
  /** Whether attempts may end without anybody knowing whether they landed. */
  mayBeAmbiguous = true;
  /** How a job's destination is at the moment; undefined: well. */
  temper: (job: PushJob) => Temper | undefined = () => undefined;
  hostOf: (job: PushJob, dice: Dice) => string = (_, dice) => dice.pick(["a", "b"]);
  /** What must be durable before a push; answers what is not. */
  missing: (job: PushJob) => string | undefined = () => undefined;

  of(job: string): ReadonlyArray<StoredObject> {
    return this.objects.filter((object) => object.job === job);
  }

  layer(dice: Dice, life: Life) {
    return Layer.succeed(Destinations, {
      open: (job) =>
        Effect.succeed({
          host: this.hostOf(job, dice),
          locate: ({ hex }) => hex,
          push: (request) => this.push(dice, life, job, request),
        }),
    });
  }

  private readonly push = Effect.fnUntraced(
    { self: this },
    function* (
      this: ScriptedStore,
      dice: Dice,
      life: Life,
      job: PushJob,
      request: PushRequest,
    ): Effect.fn.Return<PushOutcome> {
      const missing = this.missing(job);
      if (missing !== undefined) this.violations.push(`${job.id} was pushed without ${missing}`);
      yield* Effect.sleep(dice.int(0, 60));
      if (life.isDead) return yield* Effect.never;
      this.pushes.all += 1;
      const temper = this.temper(job);
      if (temper === "hanging") {
        yield* Effect.sleep(hangMillis);
        return deferred("timeout", "scripted");
      }
      if (temper === "failing") return deferred("server-error", "scripted", { status: 500, ambiguous: false });
      if (temper === "throttling")
        return deferred("throttled", "scripted", { status: 429, retryAfterMillis: 1_000, ambiguous: false });
      if (temper === "refusing") return rejected("forbidden", "scripted", 403);
      const kind = life.faulty ? dice.next() : 1;
      if (kind < 0.03) {
        this.pushes.died += 1;
        return yield* Effect.die(new Error("scripted defect"));
      }
      if (kind < 0.1) return deferred("server-error", "scripted", { status: 503, ambiguous: false });
      if (kind < 0.13) return rejected("forbidden", "scripted", 403);
      if (contentOf(request).includes(poisonMark)) return rejected("data", "scripted", 422);
      const isAmbiguous = this.mayBeAmbiguous && kind < 0.3;
      if (!isAmbiguous || dice.chance(0.5)) this.land(job.id, request);
      // Whoever dies here has delivered and does not know it.
      yield* Effect.sleep(dice.int(0, 60));
      if (!isAmbiguous) return delivered(200);
      this.pushes.ambiguous += 1;
      return deferred("timeout", "scripted");
    },
  );

  private land(job: string, { batch, batchId, body }: PushRequest): void {
    const content = contentOf({ body });
    const stored = this.objects.find((object) => object.batchId === batchId);
    if (stored === undefined) {
      this.objects.push({ job, batchId, first: batch.first, last: batch.last, content });
      return;
    }
    this.pushes.repeated += 1;
    if (stored.content !== content) this.violations.push(`${batchId} has two contents`);
  }
}
