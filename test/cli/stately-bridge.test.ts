import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { WebSocket } from "ws";
import { openStatelyBridge } from "../../src/cli/inspect/stately-bridge.ts";
import { type Frame, formatVersion } from "../../src/observability/inspection/frame.ts";
import { eventually } from "../support/watched-world.ts";

const head = { sessionId: "s", rootId: "s", createdAt: "1", id: null, _version: formatVersion } as const;
const event = (n: number): Frame => ({ ...head, type: "@xstate.event", event: { type: "e", n } });
const actor: Frame = {
  ...head,
  type: "@xstate.actor",
  name: "buffer/job-1",
  definition: "{}",
  snapshot: { status: "active", value: "idle", context: {} },
  recent: [],
};

const listen = (url: string, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = new WebSocket(url.replace("http", "ws"), { headers });
      const taken: Array<Frame> = [];
      let refused: number | undefined;
      socket.on("error", () => {});
      socket.on("unexpected-response", (_, response) => {
        refused = response.statusCode;
        response.destroy();
      });
      socket.on("message", (data: Buffer) => taken.push(JSON.parse(data.toString()) as Frame));
      return { socket, taken, refused: () => refused };
    }),
    ({ socket }) => Effect.sync(() => socket.terminate()),
  );

describe("the bridge to Stately's inspector", () => {
  it.live("tells a page that is opened later of the actor first, then of the last that happened", () =>
    Effect.gen(function* () {
      const bridge = yield* openStatelyBridge(0);
      const forward = (frame: Frame) => bridge.forward(frame, JSON.stringify(frame));
      forward(actor);
      for (let n = 1; n <= 300; n++) forward(event(n));
      forward({ ...head, type: "@xstate.action", action: { type: "not in the format", params: null } });
      const { taken } = yield* listen(bridge.url, { origin: bridge.url });
      yield* eventually("what was kept", () => taken.length === 201);
      assert.deepStrictEqual(taken[0], actor);
      assert.deepStrictEqual([taken[1], taken[200]], [event(101), event(300)]);
      forward(event(301));
      yield* eventually("what comes next", () => taken.length === 202);
    }),
  );

  it.live("lets no page of another site listen, and its own page load nothing but the inspector", () =>
    Effect.gen(function* () {
      const bridge = yield* openStatelyBridge(0, "https://inspector.example/app");
      const other = yield* listen(bridge.url, { origin: "https://elsewhere.example" });
      assert.strictEqual(yield* eventually("a refusal", other.refused), 401);
      const page = yield* Effect.promise(() => fetch(bridge.url));
      assert.include(yield* Effect.promise(() => page.text()), 'src="https://inspector.example/app"');
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; frame-src https:\/\/inspector\.example; connect-src 'self';/);
    }),
  );

  it.live("says what to do when its port is taken", () =>
    Effect.gen(function* () {
      const bridge = yield* openStatelyBridge(0);
      const failure = yield* Effect.flip(openStatelyBridge(Number(new URL(bridge.url).port)));
      assert.match(failure.message, /EADDRINUSE.*--stately-port/);
    }),
  );
});
