import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { get } from "node:http";
import { connect } from "node:net";
import type { Buffer as JobBuffer } from "../../src/actors/buffer/buffer.ts";
import { delivered, rejected } from "../../src/domain/push-outcome.ts";
import { actorsOver, give, started } from "../actors/buffer/actor-world.ts";
import { quiet } from "../support/world.ts";
import { eventually, framesOfType, serveWatched, watch } from "../support/watched-world.ts";

/** Not at once: a destination is never that near. */
const deliveries = actorsOver(() => Effect.as(Effect.sleep(1), delivered(200))).pipe(Layer.provideMerge(quiet));

const statusOf = (url: string, headers: Record<string, string> = {}) =>
  Effect.callback<number>((resume) => {
    get(url, { headers, agent: false }, (response) => {
      response.resume();
      resume(Effect.succeed(response.statusCode ?? 0));
    });
  });

describe("GET /v1/buffers/{job}/inspect", () => {
  it.live("tells where the buffer stands, then every step, in the order of XState", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      give(buffer, 1);
      yield* eventually("a delivery", () => buffer.cursor === 1);
      const url = yield* serveWatched(new Map([["job-1", buffer]]));
      const { frames } = yield* watch(url, "job-1");
      const [first] = yield* eventually("the actor", () => (frames.length > 1 ? frames : undefined));
      assert(first?.type === "@xstate.actor");
      assert.strictEqual(first.sessionId, "buffer/job-1#1");
      assert.strictEqual(first.rootId, first.sessionId);
      assert.deepStrictEqual(first.snapshot.value, { flow: "live", delivery: "idle" });
      assert.deepInclude(first.recent.at(-1), { event: "push.answered", delivery: "idle" });
      assert.hasAllKeys(JSON.parse(first.definition).states, ["flow", "delivery"]);
      assert.strictEqual(frames[1]?.type, "@spillway.figures");

      give(buffer, 2);
      yield* eventually("the delivery", () => framesOfType(frames, "@xstate.snapshot").length === 2);
      const events = framesOfType(frames, "@xstate.event").map(({ event }) => event.type);
      assert.deepStrictEqual(events, ["batch.closed", "push.answered"]);
      const values = framesOfType(frames, "@xstate.snapshot").map(({ snapshot }) => snapshot.value);
      assert.deepStrictEqual(values.at(-1), { flow: "live", delivery: "idle" });
      const [claimed] = framesOfType(frames, "@xstate.microstep");
      assert.deepInclude(claimed!.transitions[0], {
        source: "buffer.delivery.idle",
        targets: ["buffer.delivery.pushing"],
      });
      const guards = framesOfType(frames, "@xstate.guard").map(({ guard, passed }) => `${guard.type} ${passed}`);
      assert.deepStrictEqual(guards, ["isStale false", "isDeliveredAsNewest true"]);
      assert.includeMembers(
        framesOfType(frames, "@xstate.action").map(({ action }) => action.type),
        ["startPush", "reportSettled"],
      );
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("takes its observer off when the watcher leaves", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      let observers = 0;
      const { inspect } = buffer.actor!;
      const counted = {
        ...buffer.actor!,
        inspect: (observer: Parameters<typeof inspect>[0]) => {
          observers += 1;
          const detach = inspect(observer);
          return () => {
            observers -= 1;
            detach();
          };
        },
      };
      buffer.actor = counted;
      const url = yield* serveWatched(new Map([["job-1", buffer]]));
      const { socket } = yield* watch(url, "job-1");
      yield* eventually("an observer", () => observers === 1);
      socket.close();
      yield* eventually("its end", () => observers === 0);
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("finds the next actor of a buffer that has crashed", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      const url = yield* serveWatched(new Map([["job-1", buffer]]));
      const { frames } = yield* watch(url, "job-1");
      yield* eventually("the actor", () => frames.length > 0);
      buffer.settle = () => {
        throw new TypeError('{"password":"of a record"}');
      };
      give(buffer, 1);
      const [, second] = yield* eventually("the second actor", () => {
        const actors = framesOfType(frames, "@xstate.actor");
        return actors.length > 1 ? actors : undefined;
      });
      assert.strictEqual(second!.sessionId, "buffer/job-1#2");
      assert.notInclude(JSON.stringify(frames), "of a record");
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("waits for a job that has no actor, and goes when there is no such job any more", () =>
    Effect.gen(function* () {
      const buffers = new Map<string, JobBuffer | "resting">([["job-1", "resting"]]);
      const url = yield* serveWatched(buffers);
      const { closed, frames } = yield* watch(url, "job-1");
      yield* eventually("the news that it rests", () => frames[0]?.type === "@spillway.rest");
      buffers.set("job-1", yield* started("job-1"));
      yield* eventually("the actor", () => frames.some(({ type }) => type === "@xstate.actor"));
      buffers.delete("job-1");
      assert.strictEqual((yield* eventually("the end", closed)).code, 4404);
      const unknown = yield* watch(url, "job-2");
      assert.match((yield* eventually("the end", unknown.closed)).reason, /no push job job-2/);
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("shows neither credentials nor what a destination's answer quotes of them", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1", {
        destination: { kind: "http", url: "http://user:hunter2@127.0.0.1:1/?key=hunter3", headers: { a: "hunter4" } },
      });
      const url = yield* serveWatched(new Map([["job-1", buffer]]));
      const { frames } = yield* watch(url, "job-1");
      yield* eventually("the actor", () => frames.length > 0);
      give(buffer, 1);
      yield* eventually("the suspension", () => buffer.actor?.delivery() === "suspended");
      yield* eventually("the figures", () =>
        framesOfType(frames, "@spillway.figures").some(({ figures }) => figures.lastError !== null),
      );
      const text = JSON.stringify(frames);
      assert.include(text, "suspended");
      assert.notMatch(text, /hunter/);
    }).pipe(
      Effect.provide(
        actorsOver(() =>
          Effect.succeed(
            rejected("unauthorised", "http://user:hunter2@127.0.0.1/?key=hunter3 says Bearer hunter45678", 401),
          ),
        ),
      ),
    ),
  );
});

describe("who may watch", () => {
  it.live("is who has the token, in a header or as a browser's subprotocol", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      const url = yield* serveWatched(new Map([["job-1", buffer]]), { token: "s3cret/token=" });
      const encoded = Buffer.from("s3cret/token=").toString("base64url");
      const allowed = [
        yield* watch(url, "job-1", { headers: { authorization: "Bearer s3cret/token=" } }),
        yield* watch(url, "job-1", { protocols: ["spillway.inspect", `bearer.${encoded}`], headers: { origin: url } }),
      ];
      for (const { frames } of allowed) yield* eventually("the actor", () => frames.length > 0);
      assert.strictEqual(allowed[1]!.socket.protocol, "spillway.inspect");
      const refusals = [
        [yield* watch(url, "job-1"), 401],
        [yield* watch(url, "job-1", { headers: { authorization: "Bearer wrong" } }), 401],
        [yield* watch(url, "job-1", { protocols: ["spillway.inspect", "bearer.d3Jvbmc"] }), 401],
        [
          yield* watch(url, "job-1", {
            headers: { authorization: "Bearer s3cret/token=", origin: "https://elsewhere.example" },
          }),
          403,
        ],
      ] as const;
      for (const [refused, status] of refusals) {
        assert.strictEqual(yield* eventually("a refusal", refused.refused), status);
      }
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("without a token: no page of another site, and none whose name was made to resolve to here", () =>
    Effect.gen(function* () {
      const url = yield* serveWatched(new Map());
      const other = yield* watch(url, "job-1", { headers: { origin: "http://elsewhere.example" } });
      const rebound = yield* watch(url, "job-1", { headers: { host: "elsewhere.example" } });
      assert.strictEqual(yield* eventually("a refusal", other.refused), 403);
      assert.strictEqual(yield* eventually("a refusal", rebound.refused), 421);
    }),
  );

  it.live("are so many and no more, and a slow one loses frames, is told how many, and slows nobody", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      const url = yield* serveWatched(new Map([["job-1", buffer]]), {
        inspectorsMax: 1,
        inspectorFramesPerSecondMax: 20,
      });
      const { frames } = yield* watch(url, "job-1");
      yield* eventually("the actor", () => frames.length > 0);
      const second = yield* watch(url, "job-1");
      assert.strictEqual((yield* eventually("the end", second.closed)).code, 4429);
      for (let sequence = 1; sequence <= 20; sequence++) {
        give(buffer, sequence);
        yield* eventually("a delivery", () => buffer.cursor === sequence);
      }
      const lost = () => framesOfType(frames, "@spillway.lost").reduce((sum, { events }) => sum + events, 0);
      yield* eventually("the count", () => lost() > 100);
      assert.isBelow(frames.length, 60);
    }).pipe(Effect.provide(deliveries)),
  );

  it.live("may be one that reads nothing: it costs no more than its bound, and hears what it has lost", () =>
    Effect.gen(function* () {
      const buffer = yield* started("job-1");
      // More than the kernel takes of a connection that is not read.
      const definition = "x".repeat(16_777_216);
      const url = yield* serveWatched(new Map([["job-1", buffer]]), { definition });
      const { frames, socket } = yield* watch(url, "job-1");
      socket.on("open", () => socket.pause());
      yield* eventually("the connection", () => socket.isPaused);
      for (let sequence = 1; sequence <= 20; sequence++) {
        give(buffer, sequence);
        yield* eventually("a delivery", () => buffer.cursor === sequence);
      }
      assert.deepStrictEqual(frames, []);
      socket.resume();
      const lost = yield* eventually("the count", () => framesOfType(frames, "@spillway.lost")[0]);
      assert.isAtLeast(lost.events, 100);
      assert.strictEqual(framesOfType(frames, "@xstate.snapshot").length, 0);
    }).pipe(Effect.provide(deliveries)),
  );
});

describe("other requests that offer an upgrade", () => {
  it.live("are answered as if they had not: h2c, and WebSockets to other paths", () =>
    Effect.gen(function* () {
      const url = yield* serveWatched(new Map());
      const h2c = {
        connection: "Upgrade, HTTP2-Settings",
        upgrade: "h2c",
        "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
      };
      assert.strictEqual(yield* statusOf(`${url}/v1/ingest/http_requests`, h2c), 200);
      assert.strictEqual(yield* statusOf(`${url}/v1/buffers/job-1/inspect`, h2c), 200);
      assert.strictEqual(yield* statusOf(`${url}/x`, { connection: "Upgrade", upgrade: "websocket" }), 200);
    }),
  );

  it.live("and a client that hangs up in the middle harms nobody", () =>
    Effect.gen(function* () {
      const url = yield* serveWatched(new Map());
      const { port } = new URL(url);
      yield* Effect.callback<void>((resume) => {
        const socket = connect(Number(port), "127.0.0.1", () => {
          socket.write("GET /v1/buffers/a/inspect HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n");
          socket.write("connection: upgrade\r\n\r\n");
          socket.resetAndDestroy();
          resume(Effect.void);
        });
      });
      assert.strictEqual(yield* statusOf(`${url}/x`), 200);
    }),
  );
});
