import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Behaviour, Offered } from "../../src/drill/traffic/messages.ts";
import { LagHistogram } from "../../src/drill/traffic/lag-histogram.ts";
import { SeenSequences } from "../../src/drill/traffic/seen-sequences.ts";
import { type DrillSink, startProducers, startSink, type Stopped } from "../../src/drill/traffic/traffic.ts";

/** Real threads, real HTTP; the node in between is scripted. */

interface Asked {
  readonly customer: string;
  readonly key: string;
  readonly seqs: ReadonlyArray<number>;
}

/** An ingest API that answers what it is told, and remembers what it was asked. */
const scriptedDoor = Effect.fnUntraced(function* (
  answer: (asked: Asked, turn: number) => { readonly status: number; readonly body?: object } | "silence",
) {
  const asked: Array<Asked> = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      const records = text.trimEnd().split("\n");
      const one = {
        customer: String(request.headers["spillway-customer"] ?? ""),
        key: String(request.headers["idempotency-key"] ?? ""),
        seqs: records.map((line) => (JSON.parse(line) as { seq: number }).seq),
      };
      const told = answer(one, asked.push(one));
      if (told === "silence") return;
      const ok = { accepted: records.length, unconfigured: 0, refused: [] };
      response.writeHead(told.status, { "content-type": "application/json" });
      response.end(JSON.stringify(told.body ?? ok));
    });
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => server.close().closeAllConnections()),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
});

const producersAt = (url: string, offerMillisMax: number) =>
  startProducers({
    urls: [url],
    token: undefined,
    run: "t",
    customers: ["a"],
    recordsPerSecond: 100,
    recordBytes: 200,
    requestMillis: 50,
    offerMillisMax,
  });

const until = Effect.fnUntraced(function* (what: string, is: () => boolean) {
  const deadline = performance.now() + 20_000;
  while (!is()) {
    if (performance.now() > deadline) return yield* Effect.die(new Error(`never: ${what}`));
    yield* Effect.sleep(20);
  }
});

const offeredBy = ({ offered }: Stopped): Offered => offered[0]!;

describe("producers", () => {
  it.live("offer a sequence without a gap, each body under a key of its own", () =>
    Effect.gen(function* () {
      const door = yield* scriptedDoor(() => ({ status: 200 }));
      const producers = yield* producersAt(door.url, 5_000);
      yield* until("five requests", () => door.asked.length >= 5);
      const stopped = yield* producers.stop;
      const seqs = door.asked.flatMap((asked) => asked.seqs).toSorted((a, b) => a - b);
      assert.deepStrictEqual(
        seqs,
        seqs.map((_, at) => at),
      );
      assert.strictEqual(new Set(door.asked.map(({ key }) => key)).size, door.asked.length);
      assert.deepStrictEqual(offeredBy(stopped), { customer: "a", records: seqs.length, notAcknowledged: [] });
      assert.deepInclude(stopped.counts, { offered: seqs.length, acknowledged: seqs.length, gaveUp: 0 });
    }),
  );

  it.live("repeat what was refused under the same key, until it is taken", () =>
    Effect.gen(function* () {
      const seen = new Map<string, number>();
      const door = yield* scriptedDoor(({ key }) => {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        return seen.get(key)! < 3 ? { status: seen.get(key) === 1 ? 503 : 429, body: {} } : { status: 200 };
      });
      const producers = yield* producersAt(door.url, 20_000);
      yield* until("a third try", () => [...seen.values()].includes(3));
      const { counts, offered } = yield* producers.stop;
      assert.deepStrictEqual(offered[0]!.notAcknowledged, []);
      assert.strictEqual(counts.acknowledged, counts.offered);
      assert.strictEqual(counts.requestsRefused, 2 * seen.size);
      assert.isTrue([...seen.values()].every((tries) => tries === 3));
    }),
  );

  it.live("give up after a while, and say which records, also when nobody answers at all", () =>
    Effect.gen(function* () {
      const door = yield* scriptedDoor((_, turn) => (turn % 2 === 0 ? "silence" : { status: 503, body: {} }));
      const producers = yield* producersAt(door.url, 400);
      yield* until("something given up", () => producers.counts().gaveUp > 20);
      const stopped = yield* producers.stop;
      const { notAcknowledged, records } = offeredBy(stopped);
      const missing = notAcknowledged.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      assert.strictEqual(missing, records);
      assert.strictEqual(stopped.counts.gaveUp, records);
      assert.isAbove(stopped.counts.requestsFailed, 0);
    }),
  );

  it.live("believe 200, and count what the node drops with it as not acknowledged", () =>
    Effect.gen(function* () {
      const door = yield* scriptedDoor(({ seqs }) => ({
        status: 200,
        body: { accepted: 0, unconfigured: seqs.length, refused: [] },
      }));
      const producers = yield* producersAt(door.url, 5_000);
      yield* until("three requests", () => door.asked.length >= 3);
      const { counts, offered } = yield* producers.stop;
      assert.deepInclude(counts, { unconfigured: counts.offered, acknowledged: 0, gaveUp: 0, requestsRefused: 0 });
      assert.isAbove(offered[0]!.notAcknowledged.length, 0);
    }),
  );

  it.live("do not repeat what no repeat changes, and quote the answer", () =>
    Effect.gen(function* () {
      const door = yield* scriptedDoor(() => ({ status: 401, body: { error: { message: "no token" } } }));
      const producers = yield* producersAt(door.url, 5_000);
      yield* until("three requests", () => door.asked.length >= 3);
      const { counts, problems } = yield* producers.stop;
      assert.strictEqual(counts.gaveUp, counts.offered);
      assert.strictEqual(new Set(door.asked.map(({ key }) => key)).size, door.asked.length, "each was sent once");
      assert.match(problems[0] ?? "", /^401: .*no token/);
    }),
  );

  it.live("send strangers' records beside, mixed in a body", () =>
    Effect.gen(function* () {
      const door = yield* scriptedDoor(({ customer, seqs }) =>
        customer === ""
          ? { status: 200, body: { accepted: 0, unconfigured: seqs.length, refused: [] } }
          : { status: 200 },
      );
      const producers = yield* producersAt(door.url, 5_000);
      yield* producers.strangers(10, 1_000);
      yield* until("strangers", () => producers.counts().strangers.unconfigured > 100);
      const { counts } = yield* producers.stop;
      assert.strictEqual(counts.strangers.accepted, 0);
      assert.strictEqual(counts.acknowledged, counts.offered, "they are not counted among the customers'");
    }),
  );
});

const line = (Customer: string, seq: number, sent: number) => `${JSON.stringify({ Customer, seq, sent })}\n`;

const deliver = (origin: string, customer: string, lines: ReadonlyArray<string>) =>
  Effect.promise(async (signal) => {
    // Members of gzip one after the other, as Spillway sends them.
    const body = Buffer.concat(lines.map((text) => gzipSync(text)));
    const answer = await fetch(`${origin}/${customer}`, {
      method: "POST",
      headers: { "content-encoding": "gzip" },
      body,
      signal,
    });
    await answer.arrayBuffer();
    return answer.status;
  });

const sinkOf = startSink({ host: "127.0.0.1", hosts: 2, customers: ["a", "b"] });

const behave = ({ behave: tell }: DrillSink, behaviour: Behaviour) => tell(["a"], behaviour);

describe("destinations", () => {
  it.live("count each record once, for the customer whose it is, in the phase in which it was offered", () =>
    Effect.gen(function* () {
      const sink = yield* sinkOf;
      assert.lengthOf(sink.origins, 2);
      const now = performance.timeOrigin + performance.now();
      yield* sink.beginPhase({ name: "early", fromMillis: now - 60_000 });
      yield* sink.beginPhase({ name: "late", fromMillis: now - 1_000 });
      const [a, b] = sink.origins as [string, string];
      assert.strictEqual(yield* deliver(a, "a", [line("a", 0, now - 5_000), line("a", 1, now)]), 200);
      assert.strictEqual(yield* deliver(a, "a", [line("a", 1, now)]), 200);
      assert.strictEqual(yield* deliver(b, "b", [line("a", 2, now)]), 200);
      assert.strictEqual(yield* deliver(b, "nobody", [line("a", 2, now)]), 404);
      const offered: ReadonlyArray<Offered> = [
        { customer: "a", records: 3, notAcknowledged: [[1, 2]] },
        { customer: "b", records: 1, notAcknowledged: [] },
      ];
      const { arrived, counts, lags, movedMillis } = yield* sink.reckon(offered, ["a"]);
      assert.isNull(movedMillis);
      assert.deepStrictEqual(arrived, [
        { customer: "a", delivered: 2, deliveredNotAcknowledged: 1 },
        { customer: "b", delivered: 0, deliveredNotAcknowledged: 0 },
      ]);
      assert.deepStrictEqual(counts, {
        batches: 3,
        delivered: 2,
        duplicates: 1,
        misdelivered: 2,
        strangersDelivered: 0,
      });
      assert.deepStrictEqual(
        lags.map(({ phase, records }) => [phase, records]),
        [
          ["early", 1],
          ["late", 1],
        ],
      );
      assert.isAtLeast(lags[0]!.p99Millis!, 4_900);
    }),
  );

  it.live("know when a customer's first batch came to its other address", () =>
    Effect.gen(function* () {
      const sink = yield* sinkOf;
      const a = sink.origins[0]!;
      const before = performance.timeOrigin + performance.now();
      assert.strictEqual(yield* deliver(a, "a/moved", [line("a", 0, 1)]), 200);
      assert.strictEqual(yield* deliver(a, "nobody/moved", [line("a", 1, 1)]), 404);
      const { counts, movedMillis } = yield* sink.reckon([], []);
      assert.isAtLeast(movedMillis!, Math.floor(before));
      assert.deepInclude(counts, { delivered: 1, misdelivered: 1 });
    }),
  );

  it.live("fail, and refuse one record for ever, as they are told", () =>
    Effect.gen(function* () {
      const sink = yield* sinkOf;
      const a = sink.origins[0]!;
      yield* behave(sink, { kind: "failing", status: 500 });
      assert.strictEqual(yield* deliver(a, "a", [line("a", 0, 1)]), 500);
      yield* behave(sink, { kind: "poisoned", status: 400 });
      const three = [0, 1, 2].map((seq) => line("a", seq, 1));
      assert.strictEqual(yield* deliver(a, "a", three), 400);
      assert.strictEqual(yield* deliver(a, "a", [three[1]!]), 400, "the one in the middle");
      assert.strictEqual(yield* deliver(a, "a", [three[0]!]), 200);
      assert.strictEqual(yield* deliver(a, "a", [three[2]!]), 200);
      const { counts } = yield* sink.reckon([], []);
      assert.strictEqual(counts.delivered, 2, "what is refused does not count");
    }),
  );

  it.live("keep a batch without an answer until they are told otherwise, and count it then", () =>
    Effect.gen(function* () {
      const sink = yield* sinkOf;
      for (const behaviour of [{ kind: "hanging" }, { kind: "slow", millis: 600_000 }] as const) {
        yield* behave(sink, behaviour);
        const batch = [line("a", behaviour.kind === "slow" ? 1 : 0, 1)];
        const kept = yield* Effect.forkChild(deliver(sink.origins[0]!, "a", batch));
        // Not to wait for something, but to see that it does not happen.
        yield* Effect.sleep(200);
        assert.isUndefined(kept.pollUnsafe());
        yield* behave(sink, { kind: "well" });
        yield* until("its count", () => sink.counts().delivered === (behaviour.kind === "slow" ? 2 : 1));
      }
    }),
  );
});

describe("what they count with", () => {
  it("knows each sequence number once, however far they are apart", () => {
    const seen = new SeenSequences();
    assert.deepStrictEqual(
      [0, 7, 8, 7, 100_000, 0].map((seq) => seen.add(seq)),
      [true, true, true, false, true, false],
    );
    assert.strictEqual(seen.count, 4);
    assert.isTrue(seen.has(100_000));
    assert.isFalse(seen.has(99_999));
    assert.isFalse(seen.has(1_000_000));
  });

  it("knows a quantile to two percent", () => {
    const lags = new LagHistogram();
    assert.isNull(lags.quantile(0.99));
    for (let millis = 1; millis <= 1_000; millis++) lags.add(millis);
    assert.approximately(lags.quantile(0.99)!, 990, 20);
    assert.approximately(lags.quantile(0.5)!, 500, 10);
    const other = new LagHistogram();
    for (let i = 0; i < 1_000; i++) other.add(60_000);
    lags.merge(other);
    assert.approximately(lags.quantile(0.99)!, 60_000, 1_200);
  });
});
