import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import type { Pair } from "../../src/domain/partition.ts";
import { Gather, type Latch, type Plan, releaseRaw } from "../../src/streams/gather.ts";
import { limits as defaults, type Piece, spansOf } from "../support/world.ts";
import {
  assertComplete,
  assertWithinLimits,
  cases,
  countDown,
  gatherable,
  gatherAll,
  messagesOf,
  pairs,
  pieceOf,
  scatteredSpansOf,
  sum,
  takeAll,
} from "./gather-world.ts";

describe("Gather", () => {
  it("gives every span out once, in order per pair, across all writes", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        gatherAll(gather, all);
        assertComplete(all, takeAll(gather));
      }),
      { numRuns: 500 },
    );
  });

  it("does so when requests come between the writes, whose memory is used again", () => {
    fc.assert(
      fc.property(cases, fc.infiniteStream(fc.boolean()), ({ all, limits }, writeNow) => {
        const gather = new Gather(limits);
        const writes: Array<Plan> = [];
        const write = () => {
          const plan = gather.take();
          // As after compression: what is looked at later is what was there then.
          writes.push({
            ...plan,
            messages: plan.messages.map((message) => ({ ...message, raw: Buffer.from(message.raw) })),
          });
          plan.messages.forEach(releaseRaw);
        };
        for (const spans of all) {
          gatherAll(gather, [spans]);
          if (writeNow.next().value) write();
        }
        while (!gather.isEmpty()) write();
        assertComplete(all, writes);
        for (const plan of writes) assertWithinLimits(plan, limits);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps chunks, mux messages and writes within their limits; one that is too large alone travels alone", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        gatherAll(gather, all);
        for (const plan of takeAll(gather)) assertWithinLimits(plan, limits);
      }),
      { numRuns: 2_000 },
    );
  });

  it("tells each request exactly once that it landed, and not before its last span did", () => {
    fc.assert(
      fc.property(cases, ({ all, limits }) => {
        const gather = new Gather(limits);
        const { done, latches } = gatherAll(gather, all);
        assert.isTrue(done.every((times) => times === 0));
        const left = all.map(({ bytes }) => bytes);
        for (const plan of takeAll(gather)) {
          // Spans are taken in the order of the requests.
          let bytes = sum(plan.messages.map(({ raw }) => raw.length));
          for (let i = 0; i < left.length; i++) {
            const taken = Math.min(bytes, left[i]!);
            left[i]! -= taken;
            bytes -= taken;
          }
          const before = [...done];
          assert.strictEqual(new Set(plan.latches).size, plan.latches.length);
          for (const latch of plan.latches) assert.include(latches, latch);
          plan.latches.forEach(countDown);
          for (const [i, times] of done.entries()) {
            assert.isAtMost(times, 1);
            assert.strictEqual(times, left[i] === 0 ? 1 : 0);
            if (times > before[i]!) assert.include(plan.latches, latches[i]);
          }
        }
        assert.isTrue(done.every((times) => times === 1));
      }),
      { numRuns: 500 },
    );
  });
});

describe("Gather: latches", () => {
  it("waits for every gather that a request has spans in: one for each partition", () => {
    const gathers = [new Gather(defaults), new Gather(defaults)] as const;
    let done = 0;
    const latch: Latch = { remaining: 1, done: () => void (done += 1) };
    const spans = spansOf(pairs.map((pair, i) => pieceOf({ pair, records: 1, bytes: 20 }, i)));
    for (let i = 0; i < pairs.length; i++) gathers[i % 2]!.add(spans, i, latch);
    countDown(latch);
    assert.deepStrictEqual([latch.remaining, done], [2, 0]);
    gathers[1].take().latches.forEach(countDown);
    assert.strictEqual(done, 0);
    gathers[0].take().latches.forEach(countDown);
    assert.deepStrictEqual([latch.remaining, done], [0, 1]);
  });
});

describe("Gather: what waiting for the write in flight is for", () => {
  it("sends many small requests as few messages", () => {
    const gather = new Gather(defaults);
    const all = Array.from({ length: 5_000 }, (_, i) =>
      spansOf([pieceOf({ pair: pairs[i % 5]!, records: 1, bytes: 20 }, i)]),
    );
    gatherAll(gather, all);
    const writes = takeAll(gather);
    assert.deepStrictEqual(
      writes.map(({ messages }) => messages.map(({ kind }) => kind)),
      [["mux"]],
    );
    assert.strictEqual(writes[0]!.messages[0]!.pairs.length, 5);
  });

  it("makes one chunk of what a pair has scattered over the bodies of several requests", () => {
    const gather = new Gather(defaults);
    let n = 0;
    const all = gatherable(
      Array.from({ length: 30 }, () =>
        Array.from({ length: 20 }, (_, i) => pieceOf({ pair: pairs[i % 5]!, records: 2, bytes: 30 }, n++)),
      ),
    );
    const { done } = gatherAll(gather, all);
    const writes = takeAll(gather);
    assert.deepStrictEqual(
      messagesOf(writes).map(({ copied, kind, records }) => [kind, copied, records]),
      [["mux", true, pairs.map(() => 240)]],
    );
    assertComplete(all, writes);
    writes[0]!.latches.forEach(countDown);
    assert.isTrue(done.every((times) => times === 1));
  });

  it("copies nothing where a chunk is one span of one body", () => {
    const gather = new Gather(defaults);
    const spans = scatteredSpansOf(
      [0, 1, 0].map((pair, i) => pieceOf({ pair: pairs[pair]!, records: 1_000, bytes: 70_000 }, i)),
    );
    gatherAll(gather, [spans]);
    const messages = messagesOf(takeAll(gather));
    assert.deepStrictEqual(
      messages.map(({ copied, kind, pairs: [pair] }) => [kind, copied, pair!.customer]),
      ["a", "a", "b"].map((customer) => ["plain", false, customer]),
    );
    for (const { raw } of messages) assert.strictEqual(raw.buffer, spans.body.buffer);
  });
});

describe("Gather: more than one write may have", () => {
  it("gives a long backlog out write by write, each as large as it may be", () => {
    const limits = { ...defaults, outboxWriteBytesMax: 1_000_000 };
    const gather = new Gather(limits);
    let n = 0;
    const all = gatherable(
      Array.from({ length: 1_000 }, () =>
        Array.from({ length: 10 }, (_, i) => pieceOf({ pair: pairs[(i * 3) % 5]!, records: 1, bytes: 1_000 }, n++)),
      ),
    );
    const { done, latches } = gatherAll(gather, all);
    const writes = takeAll(gather);
    assert.deepStrictEqual(
      writes.map(({ messages }) => sum(messages.map(({ raw }) => raw.length))),
      Array.from({ length: 10 }, () => 1_000_000),
    );
    assertComplete(all, writes);
    assert.deepStrictEqual(
      writes.flatMap((plan) => plan.latches),
      latches,
    );
    for (const [i, { latches: landed }] of writes.entries()) {
      landed.forEach(countDown);
      assert.strictEqual(sum(done), (i + 1) * 100);
    }
  });

  it("sends what fits in one write as one write, however many chunks fill up on the way", () => {
    const gather = new Gather(defaults);
    const [pair] = pairs as [Pair];
    const pieces = Array.from({ length: 240 }, (_, i) => pieceOf({ pair, records: 1_000, bytes: 65_600 }, i));
    gatherAll(gather, gatherable([pieces]));
    assert.deepStrictEqual(
      takeAll(gather).map(({ messages }) => messages.length),
      [240],
    );
  });

  it("never makes more messages than an atomic batch takes, whatever one request is made of", () => {
    const limits = { ...defaults, outboxWriteMessagesMax: 1_000, outboxWriteBytesMax: Number.MAX_SAFE_INTEGER };
    const [a, b, c] = pairs as [Pair, Pair, Pair];
    const empty = (pair: Pair, records: number): Piece => ({
      pair,
      records,
      data: Buffer.from("{}\n".repeat(records)),
    });
    // Chunks that are full of the smallest records there are, and then a large one.
    const turn = [empty(a, 1), empty(b, 1), empty(a, 1_000), empty(b, 1)];
    for (let turns = 490; turns < 502; turns++) {
      for (const tail of [
        [],
        [empty(a, 1_000), empty(c, 1)],
        [empty(a, 1), empty(b, 1), empty(a, 1_000), empty(c, 1)],
      ]) {
        const gather = new Gather(limits);
        const large = pieceOf({ pair: a, records: 1, bytes: 70_000 }, 0);
        const pieces = [empty(c, 1), ...Array.from({ length: turns }, () => turn).flat(), ...tail, large];
        gatherAll(gather, [spansOf(pieces)]);
        for (const { messages } of takeAll(gather)) assert.isAtMost(messages.length, 1_000);
      }
    }
  });
});
