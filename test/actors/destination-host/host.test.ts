import { delivered } from "../../../src/domain/push-outcome.ts";
import { assert, describe, it } from "@effect/vitest";
import { rejected } from "../../../src/domain/push-outcome.ts";
import {
  type Asked,
  noAnswer,
  refusedConnection,
  SchedulerUnderTest,
  serverError,
  throttled,
} from "./scheduler-world.ts";

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index);
const oneAtATime = { pushesPerHostFirst: 1, pushesPerHostMax: 1 };

describe("the window of a host", () => {
  const fill = (under: SchedulerUnderTest, jobs = 100) => range(jobs).map((job) => under.ask(`job-${job}`, "host"));
  const flying = (asked: ReadonlyArray<Asked>) => asked.filter(({ began, ticket }) => began && ticket.state !== "done");

  it("starts small, doubles with success, is halved once per round by throttling, and then grows by one", () => {
    const under = new SchedulerUnderTest();
    const asked = fill(under, 400);
    assert.lengthOf(flying(asked), 4);
    for (const each of flying(asked)) under.answer(each);
    assert.lengthOf(flying(asked), 8);
    for (const each of flying(asked)) under.answer(each);
    assert.lengthOf(flying(asked), 16);
    // Three in the same round say one thing.
    for (const each of flying(asked).slice(0, 3)) under.answer(each, throttled());
    assert.strictEqual(under.report("host")?.concurrency, 8);
    for (const each of flying(asked)) under.answer(each);
    under.pass(1_000);
    assert.isAtMost(under.report("host")!.concurrency, 10);
  });

  it("is one at least, and grows no further than the host's limit", () => {
    const under = new SchedulerUnderTest({
      pushesPerHostMax: 6,
      circuit: { failuresMax: 99, openMillisFirst: 1, openMillisMax: 1 },
    });
    for (const _ of range(20)) under.push("job", "host", noAnswer);
    assert.strictEqual(under.report("host")?.concurrency, 1);
    for (const _ of range(300)) under.push("job", "host");
    const asked = fill(under);
    for (const _ of range(50)) for (const each of flying(asked)) under.answer(each);
    assert.isAtMost(under.report("host")!.concurrency, 6);
  });

  it("does not grow while it is not used", () => {
    const under = new SchedulerUnderTest();
    for (const _ of range(100)) under.push("job", "host");
    assert.strictEqual(under.report("host")?.concurrency, 4);
  });

  it("is not used up by one job's URL that hangs while others are answered", () => {
    const under = new SchedulerUnderTest();
    const hanging = range(4).map((job) => under.ask(`hanging-${job}`, "host"));
    assert.isTrue(hanging.every(({ began }) => began));
    const other = under.ask("other", "host");
    assert.isFalse(other.began);
    under.pass(2_001);
    under.answer(hanging[0]!, rejected("not-found", "404", 404));
    assert.isTrue(other.began);
    under.answer(other);
    for (const _ of range(50)) assert.isTrue(under.push("other", "host").began);
  });
});

describe("a host that throttles", () => {
  it("is not pushed to by anybody before Retry-After, once it is clear that it means everybody", () => {
    const under = new SchedulerUnderTest();
    under.push("only", "host", throttled(30_000));
    const refused = under.ask("other", "host").refused;
    assert.strictEqual(refused?.reason, "host-paused");
    assert.isTrue(refused!.retryAfterMillis >= 30_000 && refused!.retryAfterMillis <= 31_000);
    under.pass(30_000);
    assert.isTrue(under.push("other", "host").began);
  });

  it("means one job when others are served: its neighbours wait for a moment only, however often it is told", () => {
    const under = new SchedulerUnderTest();
    under.push("good", "host");
    under.push("bad", "host");
    under.push("good", "host");
    for (const _ of range(10)) {
      under.push("bad", "host", throttled(3_600_000));
      under.pass(500);
      assert.isTrue(under.push("good", "host").began);
    }
    assert.isAtLeast(under.report("host")!.concurrency, 2);
  });

  it("means everybody when three jobs in a row are told, and is heard for an hour at most", () => {
    const under = new SchedulerUnderTest();
    for (const job of ["a", "b", "c", "d", "e"]) under.push(job, "host");
    for (const job of ["a", "b", "c"]) {
      assert.isTrue(under.push(job, "host", throttled(Number.MAX_SAFE_INTEGER)).began, job);
      if (job !== "c") under.pass(500);
    }
    const { reason, retryAfterMillis } = under.ask("d", "host").refused!;
    assert.strictEqual(reason, "host-paused");
    assert.isAtMost(retryAfterMillis, 3_601_000);
  });

  it("keeps those that wait for a short pause waiting, and lets them go when it is over", () => {
    const under = new SchedulerUnderTest();
    under.push("a", "host", throttled(800));
    const asked = under.ask("a", "host");
    under.pass(799);
    assert.isFalse(asked.began);
    under.pass(1);
    assert.isTrue(asked.began);
  });
});

describe("the circuit of a host", () => {
  const opened = () => {
    const under = new SchedulerUnderTest();
    for (const _ of range(5)) under.push("a", "host", refusedConnection);
    return under;
  };

  it("answers at once while it is open, for every job of the host and for no other host", () => {
    const under = new SchedulerUnderTest();
    for (const i of range(5)) under.push(i % 2 === 0 ? "a" : "b", "host", refusedConnection);
    for (const job of ["a", "b", "c"]) {
      const { began, refused } = under.ask(job, "host");
      assert.isFalse(began);
      assert.strictEqual(refused?.reason, "circuit-open");
      assert.isTrue(refused!.retryAfterMillis >= 750 && refused!.retryAfterMillis <= 900);
    }
    assert.isTrue(under.push("a", "elsewhere").began);
    assert.strictEqual(under.report("host")?.circuit, "open");
  });

  it("hears another job at once when all that failed were one job's: the URL may be bad, and not the host", () => {
    const under = opened();
    assert.strictEqual(under.ask("a", "host").refused?.reason, "circuit-open");
    const other = under.ask("b", "host");
    assert.isTrue(other.began);
    // One at a time, as every probe.
    const third = under.ask("c", "host");
    assert.isFalse(third.began);
    under.answer(other, delivered(200));
    assert.isTrue(third.began);
    under.answer(third, delivered(200));
    assert.strictEqual(under.report("host")?.circuit, "closed");
    // And from now on the first one's failures are its own.
    for (const _ of range(20)) under.push("a", "host", refusedConnection);
    assert.isTrue(under.push("b", "host").began);
  });

  it("hears only one: with two that failed it is the host", () => {
    const under = opened();
    under.answer(under.ask("b", "host"), refusedConnection);
    assert.strictEqual(under.report("host")?.circuit, "open");
    assert.strictEqual(under.ask("c", "host").refused?.reason, "circuit-open");
  });

  it("answers those that waited when it opened", () => {
    const under = new SchedulerUnderTest(oneAtATime);
    for (const _ of range(4)) under.push("a", "host", serverError);
    const last = under.ask("a", "host");
    const waiting = range(3).map((job) => under.ask(`b-${job}`, "host"));
    under.answer(last, serverError);
    for (const { refused } of waiting) assert.strictEqual(refused?.reason, "circuit-open");
    assert.strictEqual(under.scheduler.waiting, 0);
  });

  it("lets one probe through, keeps the others waiting, and closes for all when it is answered", () => {
    const under = opened();
    under.pass(750);
    const [probe, ...others] = range(4).map((job) => under.ask(`job-${job}`, "host"));
    assert.isTrue(probe!.began);
    assert.isFalse(others.some(({ began, refused }) => began || refused !== undefined));
    under.answer(probe!, rejected("forbidden", "403", 403));
    assert.strictEqual(under.report("host")?.circuit, "closed");
    // Through a window that is narrow after so many failures.
    for (const each of others) {
      assert.isTrue(each.began);
      under.answer(each);
    }
  });

  it("opens for longer when the probe fails, and probes anew when it is given up", () => {
    const under = opened();
    under.pass(750);
    const abandoned = under.ask("a", "host");
    under.scheduler.leave(abandoned.ticket, undefined);
    const probe = under.ask("b", "host");
    assert.isTrue(probe.began);
    const waiting = under.ask("c", "host");
    under.answer(probe, refusedConnection);
    assert.strictEqual(waiting.refused?.reason, "circuit-open");
    assert.isAtLeast(waiting.refused!.retryAfterMillis, 1_500);
  });

  it("does not open because of one job's URL, however often it fails, while neighbours are served", () => {
    const under = new SchedulerUnderTest();
    under.push("good", "host");
    for (const _ of range(100)) {
      under.push("bad", "host", serverError);
      under.pass(300);
    }
    assert.strictEqual(under.report("host")?.circuit, "closed");
    assert.isTrue(under.push("good", "host").began);
  });

  it("opens when the host dies for jobs that were well, after as few failures as it may", () => {
    const under = new SchedulerUnderTest();
    const jobs = range(20).map((job) => `job-${job}`);
    for (const job of jobs) under.push(job, "host");
    const begun = jobs.filter((job) => under.push(job, "host", refusedConnection).began);
    assert.lengthOf(begun, 5);
  });

  it("is not opened by a job's own faults: settings and records", () => {
    const under = new SchedulerUnderTest();
    for (const status of [401, 403, 404, 413, 422]) {
      for (const _ of range(10)) under.push("a", "host", rejected("other", `${status}`, status));
    }
    for (const _ of range(10)) under.push("a", "host", rejected("tls", "tls"));
    assert.strictEqual(under.report("host")?.circuit, "closed");
    assert.strictEqual(under.report("host")?.concurrency, 4);
  });

  it("is not there for files", () => {
    const under = new SchedulerUnderTest();
    for (const _ of range(50)) assert.isTrue(under.push("a", "file", noAnswer).began);
  });
});
