import { assert, describe, it } from "@effect/vitest";
import type { RoutedAnswer } from "../../src/api/routed-request.ts";
import { KnownAnswers } from "../../src/control-thread/known-answers.ts";
import { MainLine } from "../../src/control-thread/main-line.ts";
import type { ToMain } from "../../src/control-thread/messages.ts";
import { Reads, type Reply } from "../../src/control-thread/reads.ts";
import { Refreshing } from "../../src/control-thread/refreshing.ts";

/** Reads on a scripted line and clock. */
class ReadsWorld {
  now = 0;
  silent = 0;
  readonly sent: Array<ToMain> = [];
  readonly line: MainLine;
  readonly reads: Reads;
  readonly refreshing: Refreshing;

  constructor(inFlightMax = 10) {
    this.line = new MainLine((message) => void this.sent.push(message), inFlightMax);
    this.reads = new Reads({
      line: this.line,
      known: new KnownAnswers(1_000_000),
      limits: { controlAnswerMillisMax: 100, controlSilentMillisMax: 15_000 },
      silentMillis: () => this.silent,
      nowMillis: () => this.now,
      wallMillis: () => 1_000_000 + this.now,
      onAnswered: (url, course) => this.refreshing.answered(url, course, this.now),
    });
    this.refreshing = new Refreshing(this.reads);
  }

  asked(): ReadonlyArray<string> {
    return this.sent.flatMap((message) => (message.type === "request" ? [`${message.id} ${message.request.url}`] : []));
  }

  answer(id: number, text = "", status = 200): void {
    this.line.answered(id, { status, headers: {}, body: new TextEncoder().encode(text) } satisfies RoutedAnswer);
  }

  read(url: string, noCache = false) {
    const seen: Array<string> = [];
    const abandon = this.reads.read(url, noCache, (reply) => seen.push(textOf(reply)));
    return { seen, abandon };
  }
}

const textOf = (reply: Reply): string =>
  reply.from === "busy"
    ? `busy ${reply.why}`
    : `${reply.from} ${new TextDecoder().decode(reply.answer.body)}${reply.from === "known" ? ` ${reply.asOfMillis}` : ""}`;

describe("reads", () => {
  it("of one URL ask the main thread once at a time, and no answer is older than its question", () => {
    const world = new ReadsWorld();
    const [first, second, third] = [world.read("/a"), world.read("/a"), world.read("/a")];
    assert.deepStrictEqual(world.asked(), ["1 /a"]);
    world.answer(1, "one");
    assert.deepStrictEqual([first.seen, second.seen, third.seen], [["main one"], [], []]);
    assert.deepStrictEqual(world.asked(), ["1 /a", "2 /a"]);
    world.answer(2, "two");
    assert.deepStrictEqual([second.seen, third.seen], [["main two"], ["main two"]]);
    assert.deepStrictEqual(world.asked(), ["1 /a", "2 /a"]);
  });

  it("are answered with what was known at the time of its question, and the late answer is kept", () => {
    const world = new ReadsWorld();
    world.read("/a");
    world.now = 10;
    world.answer(1, "one");
    world.now = 2_000;
    const late = world.read("/a");
    world.now = 2_099;
    world.reads.tick();
    assert.deepStrictEqual(late.seen, []);
    world.now = 2_100;
    world.reads.tick();
    assert.deepStrictEqual(late.seen, ["known one 1000000"]);
    world.answer(2, "two");
    const next = world.read("/a");
    world.now = 2_250;
    world.reads.tick();
    assert.deepStrictEqual(next.seen, ["known two 1002000"]);
  });

  it("are refused when too many are in flight, and when nothing is known of a main thread that stalls", () => {
    const world = new ReadsWorld(1);
    const held = world.read("/a");
    assert.deepStrictEqual(world.read("/b").seen, ["busy crowded"]);
    world.now = 1_200;
    world.silent = 1_200;
    world.reads.tick();
    assert.deepStrictEqual(held.seen, ["busy stalled"]);
  });

  it("are forgotten when their last reader goes away", () => {
    const world = new ReadsWorld();
    const [one, two] = [world.read("/a"), world.read("/a")];
    one.abandon();
    assert.isUndefined(world.sent.find(({ type }) => type === "forget"));
    two.abandon();
    const [third] = [world.read("/b")];
    third.abandon();
    assert.deepStrictEqual(world.sent.at(-1), { type: "forget", id: 2 });
    world.answer(2, "too late");
    assert.deepStrictEqual(third.seen, []);
  });

  it("of failures and audits are not known later", () => {
    const world = new ReadsWorld();
    for (const [url, status] of [
      ["/a", 500],
      ["/v1/books?audit=true", 200],
    ] as const) {
      world.read(url);
      world.answer(Number(world.asked().at(-1)!.split(" ")[0]), "x", status);
      const again = world.read(url);
      world.now += 200;
      world.reads.tick();
      assert.deepStrictEqual(again.seen, [], url);
    }
  });
});

describe("refreshing", () => {
  it("knows what everybody asks for in trouble from the start, and keeps young what was asked for lately", () => {
    const world = new ReadsWorld();
    world.refreshing.tick(0);
    assert.sameMembers(
      world.asked().map((each) => each.split(" ")[1]!),
      ["/readyz", "/v1/limits", "/v1/version", "/openapi.json"],
    );
    for (const id of [1, 2, 3, 4]) world.answer(id);
    world.read("/v1/books");
    world.now = 100;
    world.answer(5, "books");
    const times: Array<number> = [];
    for (; world.now < 120_000; world.now += 50) {
      const before = world.asked().length;
      world.refreshing.tick(world.now);
      for (const each of world.asked().slice(before)) {
        const [id, url] = each.split(" ");
        if (url === "/v1/books") times.push(world.now);
        world.answer(Number(id), "again");
      }
    }
    assert.strictEqual(times[0], 2_100, "it took 100 ms: a twentieth of the time is 2 s");
    assert.isAtMost(times.at(-1)!, 60_100, "nobody has read it for a minute");
    assert.isAbove(times.at(-1)!, 59_000);
  });

  it("leaves the later pages of a list alone: who reads it to the end does so once", () => {
    const world = new ReadsWorld();
    world.refreshing.tick(0);
    for (const id of [1, 2, 3, 4]) world.answer(id);
    const pages = ["/v1/buffers?state=idle", "/v1/buffers?state=idle&after=a", "/v1/jobs?after=b&limit=10"];
    for (const [i, page] of pages.entries()) {
      world.read(page);
      world.answer(5 + i, "page");
    }
    const before = world.asked().length;
    for (world.now = 100; world.now < 3_000; world.now += 50) world.refreshing.tick(world.now);
    const again = new Set(
      world
        .asked()
        .slice(before)
        .map((each) => each.split(" ")[1]!),
    );
    assert.deepStrictEqual(
      pages.map((page) => again.has(page)),
      [true, false, false],
    );
  });
});
