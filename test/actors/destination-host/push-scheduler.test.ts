import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { jain } from "../../../src/domain/fairness.ts";
import { fairnessIndex } from "../../../src/actors/destination-host/competition.ts";
import { type Asked, noAnswer, refusedConnection, SchedulerUnderTest, throttled } from "./scheduler-world.ts";

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index);
const oneAtATime = { pushesPerHostFirst: 1, pushesPerHostMax: 1 };

/** Jobs that always want to push, over one place of one host: bytes that each got. */
const compete = (
  jobs: ReadonlyArray<{ readonly bytes: number; readonly weight?: number }>,
  turns: number,
  order: "fair" | "fifo",
): ReadonlyArray<number> => {
  const under = new SchedulerUnderTest({ ...oneAtATime, order });
  const got = jobs.map(() => 0);
  const asked = new Map<number, Asked>();
  const ask = (index: number) => void asked.set(index, under.ask(`job-${index}`, "host", jobs[index]));
  jobs.forEach((_, index) => ask(index));
  for (let turn = 0; turn < turns; turn++) {
    const [index, current] = [...asked].find(([, { began, ticket }]) => began && ticket.state !== "done")!;
    got[index]! += jobs[index]!.bytes;
    under.nowMillis += 10;
    // A job that has more says so before its place is given away.
    ask(index);
    under.answer(current);
  }
  return got;
};

describe("places among the jobs of a host", () => {
  it("are shared by bytes, not by pushes", () => {
    const jobs = [{ bytes: 100_000 }, ...range(9).map(() => ({ bytes: 1_000 }))];
    assert.isAbove(jain(compete(jobs, 5_000, "fair"))!, 0.97);
    assert.isBelow(jain(compete(jobs, 5_000, "fifo"))!, 0.2);
  });

  it("are shared by weight", () => {
    const got = compete([{ bytes: 1_000, weight: 3 }, { bytes: 2_000 }, { bytes: 5_000 }], 6_000, "fair");
    assert.isAbove(jain([got[0]! / 3, got[1]!, got[2]!])!, 0.99);
  });

  it("go to first tries before retries, and to one retry in four all the same", () => {
    const under = new SchedulerUnderTest(oneAtATime);
    const running = under.ask("running", "host");
    const waiting = [
      ...range(4).map((index) => under.ask(`retry-${index}`, "host", { attempt: 2 })),
      ...range(8).map((index) => under.ask(`first-${index}`, "host")),
    ];
    under.answer(running);
    while (waiting.some(({ ticket }) => ticket.state !== "done")) {
      under.answer(waiting.find(({ began, ticket }) => began && ticket.state !== "done")!);
    }
    const kinds = under.order.slice(1).map((job) => job.slice(0, 1));
    assert.strictEqual(kinds.join(""), "ffrfffrfffrr".slice(0, 12));
  });

  it("are not taken by what was cancelled while it waited", () => {
    const under = new SchedulerUnderTest(oneAtATime);
    const running = under.ask("a", "host");
    const cancelled = under.ask("b", "host");
    const last = under.ask("c", "host");
    under.scheduler.cancel(cancelled.ticket);
    under.answer(running);
    assert.deepStrictEqual(under.order, ["a", "c"]);
    under.answer(last);
    assert.strictEqual(under.scheduler.inUse("fast"), 0);
    assert.strictEqual(under.scheduler.waiting, 0);
  });
});

describe("places of the node", () => {
  for (const hanging of [1, 2, 20, 60, 300, 1_000]) {
    it(`are there at once for a healthy host beside ${hanging} that hang`, () => {
      const under = new SchedulerUnderTest({ pushesInFlightMax: 256 });
      // They were well before, and had wide windows.
      const isFlood = hanging > 60;
      const jobs = isFlood ? 1 : 200;
      for (const host of range(hanging).map((index) => `hanging-${index}`)) {
        for (let round = 0; round < (isFlood ? 1 : 4); round++) {
          const asked = range(jobs).map((job) => under.ask(`${host}/${job}`, host));
          for (const each of asked) under.answer(each);
        }
      }
      for (const index of range(hanging)) {
        for (const job of range(jobs)) under.ask(`hanging-${index}/${job}`, `hanging-${index}`);
      }
      const healthy = () => {
        for (const index of range(200)) assert.isTrue(under.push("healthy", `healthy-${index % 50}`).began, `${index}`);
      };
      // More hosts than places take them all, for as long as it takes to see that they are slow; never again.
      if (isFlood) under.pass(2_001 * Math.ceil(hanging / 256));
      healthy();
      under.pass(20_000);
      healthy();
      const timedOut = under.inFlight();
      assert.isNotEmpty(timedOut);
      for (const each of timedOut) under.answer(each, noAnswer);
      for (const { job, ticket } of timedOut) under.ask(job, ticket.host.name, { attempt: 2 });
      healthy();
    });
  }

  it("are never more than there are, and no host's more than its own, whatever happens", () => {
    const step = fc.record({
      job: fc.nat(30),
      host: fc.nat(6),
      what: fc.constantFrom(
        "ask",
        "ask",
        "ask",
        "good",
        "good",
        "hang",
        "refuse",
        "throttle",
        "cancel",
        "drop",
        "pass",
      ),
      attempt: fc.integer({ min: 1, max: 3 }),
      bytes: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const limits = { pushesInFlightMax: 5, slowPushesInFlightMax: 4, pushesPerHostFirst: 2, pushesPerHostMax: 3 };
        const under = new SchedulerUnderTest(limits);
        const all: Array<Asked> = [];
        const inFlight = () => all.filter(({ ticket }) => ticket.state === "fast" || ticket.state === "slow");
        const waiting = () => all.filter(({ ticket }) => ticket.state === "waiting");
        for (const { attempt, bytes, host, job, what } of steps) {
          const flying = inFlight();
          const one = flying[job % Math.max(1, flying.length)];
          if (what === "ask") all.push(under.ask(`${host}/${job}`, `host-${host}`, { attempt, bytes }));
          else if (what === "pass") under.pass(bytes % 4_000);
          else if (what === "cancel" && waiting().length > 0) under.scheduler.cancel(waiting()[0]!.ticket);
          else if (one !== undefined && what === "good") under.answer(one);
          else if (one !== undefined && what === "drop") under.scheduler.leave(one.ticket, undefined);
          else if (one !== undefined && what === "hang") under.answer(one, noAnswer);
          else if (one !== undefined && what === "refuse") under.answer(one, refusedConnection);
          else if (one !== undefined && what === "throttle") under.answer(one, throttled(bytes % 5_000));
          assert.isAtMost(under.scheduler.inUse("fast"), 5);
          assert.isAtMost(under.scheduler.inUse("slow"), 4);
          assert.strictEqual(under.scheduler.inUse("fast") + under.scheduler.inUse("slow"), inFlight().length);
          for (const report of under.scheduler.report(100)) assert.isAtMost(report.inFlight, 3);
          assert.strictEqual(under.scheduler.waiting, waiting().length);
        }
        // Once everything answers and time passes, nobody is left behind.
        for (let turn = 0; turn < 500 && all.some(({ ticket }) => ticket.state !== "done"); turn++) {
          for (const each of inFlight()) under.answer(each);
          under.pass(100);
        }
        assert.deepStrictEqual(
          all.filter(({ ticket }) => ticket.state !== "done").map(({ job }) => job),
          [],
        );
        assert.strictEqual(under.scheduler.inUse("fast") + under.scheduler.inUse("slow"), 0);
      }),
      { numRuns: 300 },
    );
  });

  it("are shared by bytes among jobs of different hosts, when they are short", () => {
    const under = new SchedulerUnderTest({ pushesInFlightMax: 1 });
    const got = [0, 0, 0];
    const sizes = [100_000, 1_000, 1_000];
    const asked = sizes.map((bytes, index) => under.ask(`job-${index}`, `host-${index}`, { bytes }));
    for (let turn = 0; turn < 3_000; turn++) {
      const index = asked.findIndex(({ began, ticket }) => began && ticket.state !== "done");
      got[index]! += sizes[index]!;
      const done = asked[index]!;
      asked[index] = under.ask(`job-${index}`, `host-${index}`, { bytes: sizes[index]! });
      under.answer(done);
    }
    assert.isAbove(jain(got)!, 0.97);
  });
});

describe("what is remembered of hosts", () => {
  it("ends when nobody has pushed to them for a while", () => {
    const under = new SchedulerUnderTest();
    for (const index of range(1_000)) under.push("job", `host-${index}`, refusedConnection);
    assert.strictEqual(under.scheduler.known.size, 1_000);
    under.pass(300_001);
    for (const _ of range(1_100)) under.push("job", "used");
    assert.deepStrictEqual([...under.scheduler.known.keys()], ["used"]);
  });

  it("is listed with those in trouble first, and no more of it than was asked for", () => {
    const under = new SchedulerUnderTest();
    for (const index of range(10)) under.push("job", `host-${index}`);
    for (const _ of range(5)) under.push("job", "host-7", refusedConnection);
    const reports = under.scheduler.report(3);
    assert.lengthOf(reports, 3);
    assert.deepStrictEqual(reports[0], {
      host: "host-7",
      circuit: "open",
      concurrency: 0,
      inFlight: 0,
      waiting: 0,
      notBeforeMillis: under.nowMillis + 750,
      jobs: 1,
      evidence: { says: "silent", millis: under.nowMillis },
    });
  });
});

describe("the fairness index", () => {
  for (const order of ["fair", "fifo"] as const) {
    it(`of competing jobs is ${order === "fair" ? "near 1" : "low"} with places in ${order} order`, () => {
      const under = new SchedulerUnderTest({ ...oneAtATime, order });
      const began = under.nowMillis;
      const sizes = [100_000, ...range(9).map(() => 1_000)];
      const asked = sizes.map((bytes, job) => under.ask(`job-${job}`, "host", { bytes }));
      for (let turn = 0; turn < 4_000; turn++) {
        const index = asked.findIndex(({ began: has, ticket }) => has && ticket.state !== "done");
        under.nowMillis += 1;
        const done = asked[index]!;
        asked[index] = under.ask(`job-${index}`, "host", { bytes: sizes[index]! });
        under.answer(done);
      }
      const index = fairnessIndex(under.scheduler.known, began, under.nowMillis);
      assert.isTrue(order === "fair" ? index > 0.9 : index < 0.3, String(index));
    });
  }

  it("is 1 when nobody competes", () => {
    const under = new SchedulerUnderTest();
    under.push("a", "host");
    assert.strictEqual(fairnessIndex(under.scheduler.known, under.nowMillis - 1_000, under.nowMillis), 1);
  });
});
