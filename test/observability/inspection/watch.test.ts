import { assert, describe, it } from "@effect/vitest";
import { createActor } from "xstate";
import { bufferMachine } from "../../../src/actors/buffer/machine.ts";
import { definitionOf } from "../../../src/observability/inspection/definition.ts";
import type { Frame } from "../../../src/observability/inspection/frame.ts";
import type { InspectableBuffer } from "../../../src/observability/inspection/inspectable.ts";
import { redactPayload } from "../../../src/observability/inspection/redact-payload.ts";
import { Watch } from "../../../src/observability/inspection/watch.ts";
import { actorOptions } from "../../actors/buffer/actor-world.ts";

const batch = {
  first: 1,
  last: 2,
  records: 10,
  bytes: 100,
  startMillis: 1,
  endMillis: 2,
  closedBy: "size",
} as const;

/** The bare machine, running, as a buffer's actor. */
const running = () => {
  const actor = createActor(bufferMachine, { input: { ...actorOptions, job: "job-1" } });
  actor.subscribe({ error: () => {} });
  actor.start();
  const handle = {
    delivery: () => actor.getSnapshot().value.delivery,
    flow: () => actor.getSnapshot().value.flow as string,
    context: () => actor.getSnapshot().context,
    inspect: (observer: Parameters<typeof actor.system.inspect>[0]) => {
      const subscription = actor.system.inspect(observer);
      return () => subscription.unsubscribe();
    },
  };
  const buffer: InspectableBuffer = { actor: handle, rest: "hibernated", recent: () => [], figures: () => undefined };
  return { actor, buffer };
};

const watching = (buffer: InspectableBuffer, sink: { ready: boolean; fails: boolean }) => {
  const frames: Array<Frame> = [];
  const found: { buffer: InspectableBuffer | undefined } = { buffer };
  const watch = new Watch(
    "job-1",
    { definition: definitionOf(bufferMachine), find: () => found.buffer },
    {
      isReady: () => sink.ready,
      send: (frame) => {
        if (sink.fails) throw new Error("closed");
        frames.push(frame);
      },
    },
    () => 1_700_000_000_123,
  );
  return { found, frames, watch };
};

describe("a watch", () => {
  it("sends what Stately's inspector takes: the same fields, of the same types", () => {
    const { actor, buffer } = running();
    const { frames, watch } = watching(buffer, { ready: true, fails: false });
    assert.isTrue(watch.check());
    actor.send({ type: "batch.closed", batch });
    const head = {
      sessionId: "buffer/job-1#1",
      rootId: "buffer/job-1#1",
      createdAt: "1700000000123",
      id: null,
      _version: "0.7.2",
    };
    for (const frame of frames) assert.deepInclude(frame as object, head);
    const ofStately = frames.filter(({ type }) =>
      ["@xstate.actor", "@xstate.event", "@xstate.snapshot"].includes(type),
    );
    assert.deepStrictEqual(
      ofStately.map((frame) =>
        Object.keys(frame)
          .filter((key) => !(key in head))
          .toSorted(),
      ),
      [
        ["definition", "name", "recent", "snapshot", "type"],
        ["event", "type"],
        ["event", "snapshot", "type"],
      ],
    );
    const [first, , last] = ofStately;
    assert(first?.type === "@xstate.actor" && last?.type === "@xstate.snapshot");
    // What the snapshot says of itself, but for its context, which is redacted.
    const { context: _context, ...shown } = JSON.parse(JSON.stringify(actor.getSnapshot()));
    assert.deepInclude(last.snapshot, { ...shown, children: {}, historyValue: {} });
    assert.deepStrictEqual(JSON.parse(first.definition).id, "buffer");
    assert.deepStrictEqual(JSON.parse(JSON.stringify(frames)), frames);
  });

  it("crashes no buffer when it cannot send, and says later how much was not sent", () => {
    const { actor, buffer } = running();
    const sink = { ready: true, fails: false };
    const { frames, watch } = watching(buffer, sink);
    watch.check();
    sink.fails = true;
    actor.send({ type: "batch.closed", batch });
    assert.strictEqual(actor.getSnapshot().status, "active");
    assert.strictEqual(actor.getSnapshot().value.delivery, "pushing");
    sink.fails = false;
    sink.ready = false;
    actor.send({ type: "buffer.drain" });
    assert.strictEqual(frames.length, 1);
    sink.ready = true;
    watch.check();
    const lost = frames.at(-1);
    assert(lost?.type === "@spillway.lost");
    assert.isAtLeast(lost.events, 6);
    watch.check();
    assert.strictEqual(frames.at(-1), lost);
  });

  it("sees nothing any more once it is closed", () => {
    const { actor, buffer } = running();
    const { frames, watch } = watching(buffer, { ready: true, fails: false });
    watch.check();
    watch.close();
    actor.send({ type: "batch.closed", batch });
    assert.strictEqual(frames.length, 1);
  });

  it("ends with its job", () => {
    const { buffer } = running();
    const { found, watch } = watching(buffer, { ready: true, fails: false });
    assert.isTrue(watch.check());
    found.buffer = undefined;
    assert.isFalse(watch.check());
  });

  it("concludes which guards were asked, and which transition without an event followed", () => {
    const { actor, buffer } = running();
    const { frames, watch } = watching(buffer, { ready: true, fails: false });
    actor.send({ type: "batch.closed", batch });
    watch.check();
    actor.send({ type: "buffer.quarantine" });
    actor.send({ type: "job.revised" });
    const guards = frames.flatMap((frame) =>
      frame.type === "@xstate.guard" ? [`${frame.source} ${frame.guard.type} ${frame.passed}`] : [],
    );
    assert.deepStrictEqual(guards, [
      "buffer.delivery.quarantined hasBatch true",
      "buffer.delivery.reconsidering mayRecut false",
    ]);
  });
});

describe("redacting a payload", () => {
  it("leaves of an error its name, for its message may quote a record", () => {
    const cause = new SyntaxError('Unexpected token in JSON: {"card":"4111"}');
    const shown = redactPayload({ type: "push.died", attempt: 1, cause, more: { error: { card: 4111 } } });
    assert.deepStrictEqual(shown, {
      type: "push.died",
      attempt: 1,
      cause: "[SyntaxError]",
      more: { error: "[object]" },
    });
  });

  it("removes credentials, userinfo, query strings and bytes, however deep", () => {
    const shown = JSON.stringify(
      redactPayload({
        answer: { outcome: { detail: "PUT https://u:hunter2@h/x?sig=hunter3 Bearer hunter456", token: "hunter7" } },
        data: Buffer.from("hunter8"),
        list: [{ list: [{ password: "hunter9" }] }],
      }),
    );
    assert.notMatch(shown, /hunter/);
    assert.include(shown, "7 bytes");
  });
});
