import { Duration, Effect, Fiber, type Scope } from "effect";
import { deepStrictEqual, fail, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import type { OpenDestination, PushRequest } from "../actors/ports/destinations.ts";
import { batchId } from "../domain/batch.ts";
import type { PushOutcome } from "../domain/push-outcome.ts";

type Opened = Effect.Effect<OpenDestination, never, Scope.Scope>;

/** What a kind of destination shows of itself and of its far side, so that the suite can judge it. */
export interface ConformanceWorld {
  /** A destination that works, with a fresh far side behind it. */
  readonly working: Opened;
  /** What the far side holds: by key or id, the bytes as they arrived. */
  readonly stored: Effect.Effect<ReadonlyMap<string, Uint8Array>>;
  /** Destinations that fail, and the outcome that each must have. */
  readonly failing: ReadonlyArray<{
    readonly name: string;
    readonly open: Opened;
    readonly tag: "Deferred" | "Rejected";
    readonly reason: string;
  }>;
  /** For interruption: a destination whose push goes on until it is interrupted, or long enough to be. */
  readonly slow: {
    readonly open: Opened;
    /** Completes once the push is under way. */
    readonly underway: Effect.Effect<void>;
    /** Whether the push has left nothing running and nothing half done; polled. */
    readonly abandoned: Effect.Effect<boolean>;
  };
  /** Texts that no outcome and no location may hold. */
  readonly secrets: ReadonlyArray<string>;
}

/** One thing that every kind of destination does. Fails as a defect. */
export interface ConformanceCase {
  readonly name: string;
  readonly run: (world: ConformanceWorld) => Effect.Effect<void, never, Scope.Scope>;
}

/** A batch of so many records. The same arguments give the same request, byte for byte. */
export const conformanceRequest = (options: {
  readonly first: number;
  readonly records: number;
  readonly members?: number;
  readonly attempt?: number;
  /** Changes the records and not the batch's id. */
  readonly salt?: string;
}): PushRequest => {
  const lines = Array.from(
    { length: options.records },
    // The digest keeps gzip from making large batches small.
    (_, index) =>
      `{"id":${options.first + index},"digest":"${digest(`${options.salt ?? ""}${options.first + index}`)}"}\n`,
  );
  const members = options.members ?? 1;
  const perMember = Math.ceil(lines.length / members);
  const body = Array.from({ length: members }, (_, index) =>
    gzipSync(lines.slice(index * perMember, (index + 1) * perMember).join(""), { level: 1 }),
  );
  const batch = {
    first: options.first,
    last: options.first + options.records - 1,
    records: options.records,
    bytes: lines.reduce((sum, line) => sum + line.length, 0),
    startMillis: 1_731_584_587_123,
    endMillis: 1_731_584_617_123,
    closedBy: "time",
  } as const;
  const id = batchId("i1", "conformance", batch);
  return {
    batch,
    batchId: id,
    hex: digest(id).slice(0, 8),
    attempt: options.attempt ?? 1,
    body,
    bodyBytes: body.reduce((sum, member) => sum + member.byteLength, 0),
  };
};

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The suite that every kind of destination passes. A new kind is done when it is green. */
export const conformanceCases: ReadonlyArray<ConformanceCase> = [
  {
    name: "delivers exactly the bytes it is given, whether in one member or in many",
    run: Effect.fnUntraced(function* (world) {
      const destination = yield* world.working;
      for (const request of [
        conformanceRequest({ first: 1, records: 10 }),
        conformanceRequest({ first: 101, records: 500, members: 7 }),
        // Too much to be copied together.
        conformanceRequest({ first: 1_001, records: 30_000, members: 4 }),
      ]) {
        delivered(yield* destination.push(request), false);
        const bodies = [...(yield* world.stored).values()];
        const sent = Buffer.concat(request.body);
        ok(
          bodies.some((body) => sent.equals(body)),
          `the far side does not hold the ${sent.byteLength} bytes of ${request.batchId}`,
        );
        gunzipSync(sent);
      }
      strictEqual((yield* world.stored).size, 3);
    }),
  },
  {
    name: "ends with one object or id when a batch is pushed twice",
    run: Effect.fnUntraced(function* (world) {
      const destination = yield* world.working;
      const request = conformanceRequest({ first: 1, records: 10 });
      delivered(yield* destination.push(request), undefined);
      delivered(yield* destination.push({ ...request, attempt: 2 }), undefined);
      const stored = yield* world.stored;
      strictEqual(stored.size, 1);
      deepStrictEqual(
        [...stored.values()].map((body) => Buffer.from(body)),
        [Buffer.concat(request.body)],
      );
    }),
  },
  {
    name: "aborts when it is interrupted",
    run: Effect.fnUntraced(function* (world) {
      const destination = yield* world.slow.open;
      const push = yield* Effect.forkChild(destination.push(conformanceRequest({ first: 1, records: 20_000 })));
      yield* world.slow.underway;
      yield* Fiber.interrupt(push);
      yield* until(world.slow.abandoned, "the push to be abandoned");
    }),
  },
  {
    name: "turns every failure into its outcome, with a detail of one line",
    run: Effect.fnUntraced(function* (world) {
      ok(world.failing.length > 0);
      for (const failing of world.failing) {
        const destination = yield* failing.open;
        const outcome = yield* destination.push(conformanceRequest({ first: 1, records: 10 }));
        if (outcome._tag === "Delivered") fail(`${failing.name}: ${JSON.stringify(outcome)}`);
        strictEqual(outcome._tag, failing.tag, `${failing.name}: ${JSON.stringify(outcome)}`);
        strictEqual(outcome.reason, failing.reason, `${failing.name}: ${JSON.stringify(outcome)}`);
        ok(outcome.detail.length > 0 && outcome.detail.length <= 300, failing.name);
        ok(!/[\r\n]/.test(outcome.detail), failing.name);
      }
    }),
  },
  {
    name: "says nothing secret in outcomes, locations and host",
    run: Effect.fnUntraced(function* (world) {
      const request = conformanceRequest({ first: 1, records: 10 });
      for (const open of [world.working, ...world.failing.map((failing) => failing.open)]) {
        const destination = yield* open;
        const outcome = yield* destination.push(request);
        const said = JSON.stringify([outcome, destination.locate(request), destination.host]);
        for (const secret of [...world.secrets, "digest"]) ok(!said.includes(secret), `${said} holds ${secret}`);
      }
    }),
  },
];

const delivered = (outcome: PushOutcome, alreadyThere: boolean | undefined): void => {
  if (outcome._tag !== "Delivered") fail(`not delivered: ${JSON.stringify(outcome)}`);
  if (alreadyThere !== undefined) strictEqual(outcome.alreadyThere, alreadyThere);
};

/** Polls, at most 5 s. */
const until = (condition: Effect.Effect<boolean>, what: string): Effect.Effect<void> =>
  condition.pipe(
    Effect.flatMap((holds) => (holds ? Effect.void : Effect.fail("not yet"))),
    Effect.tapError(() => Effect.sleep(Duration.millis(10))),
    Effect.retry({ times: 500 }),
    Effect.catch(() => Effect.die(new Error(`waited in vain for ${what}`))),
  );
