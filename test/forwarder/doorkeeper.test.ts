import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as fc from "fast-check";
import type { PartitionReport } from "../../src/actors/ports/backlogs.ts";
import { type KillSwitchesView, noKillSwitches } from "../../src/actors/ports/kill-switches.ts";
import type { RecordSpans } from "../../src/actors/ports/outbox.ts";
import { makePair, type Pair } from "../../src/domain/partition.ts";
import { Doorkeeper } from "../../src/forwarder/doorkeeper.ts";
import { fairLevel } from "../../src/forwarder/fair-shares.ts";
import { ReportBook } from "../../src/streams/report-book.ts";
import { aSwitch, ScriptedSwitches } from "../support/scripted-switches.ts";
import { openAdmission } from "./door-world.ts";

/** All in one partition: what one of them does, the others feel. */
const pairs = new Map<string, Pair>();
const pairOf = (customer: string): Pair => {
  if (!pairs.has(customer)) pairs.set(customer, makePair(customer, "logs", 1));
  return pairs.get(customer)!;
};

const spansOf = (...entries: ReadonlyArray<readonly [customer: string, bytes: number]>): RecordSpans => {
  let at = 0;
  const stops = entries.map(([, bytes]) => (at += bytes));
  return {
    body: Buffer.alloc(0),
    pairs: entries.map(([customer]) => pairOf(customer)),
    starts: [0, ...stops.slice(0, -1)],
    stops,
    records: entries.map(() => 1),
    bytes: at,
  };
};

const megabyte = 1_048_576;

/** A door of one partition, whose clock and reports the test moves; `stored` bytes become of one raw byte. */
class Door {
  nowMillis = 1_000_000;
  readonly book = new ReportBook(1);
  appendedBytes = 0;
  readonly keeper: Doorkeeper;

  constructor(
    over: { readonly logBytesMax?: number; readonly retentionSecondsMin?: number } = {},
    isGuarded: () => boolean = () => true,
    switches: KillSwitchesView = noKillSwitches,
  ) {
    const limits = { logBytesMax: 100 * megabyte, unscannedPercentMax: 70, retentionSecondsMin: 100, ...over };
    const backlogs = {
      partitions: 1,
      publish: () => Effect.void,
      latest: (partition: number) => this.book.latest(partition),
    };
    this.keeper = new Doorkeeper(backlogs, openAdmission, limits, () => this.nowMillis, switches, isGuarded);
  }

  report(over: Partial<PartitionReport> = {}): void {
    this.book.accept(
      {
        partition: 0,
        epoch: 1,
        millis: this.nowMillis,
        scanned: 0,
        logFirst: 1,
        logLast: 1,
        logBytes: 0,
        appendedBytes: this.appendedBytes,
        unscannedBytes: 0,
        oldestMillis: undefined,
        refusing: [],
        ...over,
      },
      this.nowMillis,
    );
  }

  /** Why this customer is held back now. */
  verdict(customer: string): string | undefined {
    this.nowMillis += 250;
    return this.keeper.verdicts()?.of(pairOf(customer));
  }

  /** Sends what the door lets in of it; the log stores a tenth. Answers how many bytes got in. */
  publish(...entries: ReadonlyArray<readonly [customer: string, bytes: number]>): number {
    const verdicts = this.keeper.verdicts();
    const admitted = entries.filter(([customer]) => verdicts?.of(pairOf(customer)) === undefined);
    if (admitted.length === 0) return 0;
    const spans = spansOf(...admitted);
    this.keeper.letIn(spans)();
    this.appendedBytes += spans.bytes / 10;
    return spans.bytes;
  }
}

describe("the doorkeeper", () => {
  it("has nothing to say while all is well, so that a body costs nothing per record", () => {
    const door = new Door();
    assert.isUndefined(door.keeper.verdicts());
    door.report({ unscannedBytes: 10 * megabyte });
    door.nowMillis += 1_000;
    assert.isUndefined(door.keeper.verdicts());
  });

  it("answers the same for a body from its first record to its last", () => {
    const door = new Door();
    door.report({ refusing: ["acme.logs"] });
    door.nowMillis += 250;
    const verdicts = door.keeper.verdicts()!;
    assert.strictEqual(verdicts.of(pairOf("acme")), "over-quota");
    assert.isUndefined(verdicts.of(pairOf("globex")));
    door.nowMillis += 1;
    door.report({ refusing: ["globex.logs"] });
    assert.isUndefined(door.verdict("acme"));
    assert.strictEqual(door.verdict("globex"), "over-quota");
    assert.strictEqual(verdicts.of(pairOf("acme")), "over-quota");
    assert.isUndefined(verdicts.of(pairOf("globex")));
  });

  it("adds what it has published since to the last report, in flight or stored, however old that is", () => {
    const door = new Door({ logBytesMax: 10 * megabyte });
    door.report();
    const settled = door.keeper.letIn(spansOf(["acme", 6 * megabyte]));
    assert.isUndefined(door.verdict("acme"));
    door.keeper.letIn(spansOf(["acme", 2 * megabyte]));
    assert.strictEqual(door.verdict("acme"), "log-full", "8 MB in flight, as if they did not compress");
    settled();
    door.nowMillis += 3_600_000;
    assert.strictEqual(door.verdict("globex"), "log-full", "stored is not scanned");
    door.report();
    assert.isUndefined(door.verdict("globex"), "the owner has read what was settled; 2 MB are in flight");
  });

  it("learns how well records compress, so that the silence of an owner is not over-estimated", () => {
    const door = new Door({ logBytesMax: 10 * megabyte, retentionSecondsMin: 1 });
    door.report();
    for (let second = 0; second < 3; second++) {
      door.publish(["acme", 2 * megabyte]);
      door.nowMillis += 1_000;
      door.report();
    }
    door.keeper.verdicts();
    for (let i = 0; i < 6; i++) assert.strictEqual(door.publish(["acme", 10 * megabyte]), 10 * megabyte);
    assert.isUndefined(door.verdict("acme"), "60 MB raw are 6 MB stored");
    assert.strictEqual(door.publish(["acme", 20 * megabyte]), 20 * megabyte);
    assert.strictEqual(door.verdict("acme"), "log-full");
  });

  it("lets everybody in while a drill has switched it off, and knows all the same what comes after", () => {
    const drill = { isGuarded: false };
    const door = new Door({}, () => drill.isGuarded);
    door.report({ unscannedBytes: 70 * megabyte });
    assert.isUndefined(door.keeper.verdicts());
    drill.isGuarded = true;
    assert.strictEqual(door.keeper.verdicts()?.of(pairOf("any")), "log-full");
  });

  it("keeps out whom an operator has switched off, also in a drill without guards", () => {
    const switches = new ScriptedSwitches();
    const door = new Door({}, () => false, switches);
    door.report({ unscannedBytes: 70 * megabyte });
    switches.throw(aSwitch("customer", "out", { stops: "intake" }));
    const verdicts = door.keeper.verdicts();
    assert.strictEqual(verdicts?.of(pairOf("out")), "switched-off");
    assert.isUndefined(verdicts?.of(pairOf("in")));
  });

  it("never refuses because nothing is known", () => {
    const door = new Door({ logBytesMax: megabyte });
    for (let i = 0; i < 100; i++) {
      door.nowMillis += 1_000;
      assert.strictEqual(door.publish(["acme", 10 * megabyte]), 10 * megabyte);
    }
  });
});

describe("retention at the door", () => {
  /** A heavy and two light customers for so many seconds; what got in per customer, after a minute to begin with. */
  const run = (door: Door, heavy: number, light: number, seconds: number) => {
    const got = { heavy: 0, light: 0 };
    for (let second = 0; second < seconds; second++) {
      door.nowMillis += 1_000;
      const isCounted = second >= seconds / 2;
      const more = door.publish(["heavy", heavy]);
      const others = door.publish(["one", light]) + door.publish(["two", light]);
      if (isCounted) got.heavy += more;
      if (isCounted) got.light += others;
      door.report();
    }
    return got;
  };

  it("is kept by holding the largest back; who is below the fair share loses nothing", () => {
    // The log keeps 100 s of 1 MB stored, 10 MB raw a second.
    const door = new Door();
    const got = run(door, 40 * megabyte, megabyte, 600);
    assert.strictEqual(got.light, 300 * 2 * megabyte);
    assert.isAbove(got.heavy, 300 * 5 * megabyte, "its fair share it gets");
    assert.isBelow(got.heavy, 300 * 12 * megabyte);
  });

  it("is nobody's concern while the log lasts long enough", () => {
    const door = new Door();
    const got = run(door, 7 * megabyte, megabyte, 600);
    assert.deepStrictEqual(got, { heavy: 300 * 7 * megabyte, light: 300 * 2 * megabyte });
  });

  it("lets a short burst pass, and everybody back in when the flood is over", () => {
    const door = new Door();
    assert.strictEqual(run(door, 40 * megabyte, megabyte, 10).heavy, 5 * 40 * megabyte);
    run(door, 40 * megabyte, megabyte, 300);
    const after = run(door, megabyte, megabyte, 300);
    assert.deepStrictEqual(after, { heavy: 150 * megabyte, light: 150 * 2 * megabyte });
  });

  it("cuts rates off at a level where their sum is what may go on, and touches nobody below it", () => {
    const rates = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(rates, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (all, share) => {
        const level = fairLevel(all, share);
        const total = all.reduce((sum, rate) => sum + rate, 0);
        const left = all.reduce((sum, rate) => sum + Math.min(rate, level), 0);
        assert.closeTo(left, total * share, total * 1e-6);
        assert.isBelow(level, Math.max(...all));
      }),
    );
    assert.strictEqual(fairLevel([1, 2, 3], 1), Number.POSITIVE_INFINITY);
  });
});
