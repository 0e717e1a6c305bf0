import { assert, describe, it } from "@effect/vitest";
import type { Drill } from "../../src/drill/drill.ts";
import { figuresOf } from "../../src/drill/record/figures.ts";
import { barText, judge } from "../../src/drill/record/verdict.ts";
import { aDrill, arrived, lags, offered, recordOf, sampleAt, startedMillis } from "./run-records.ts";

const reckoning = recordOf().reckoning;

describe("the figures of a drill", () => {
  it("lose nothing where everything came", () => {
    const figures = figuresOf(recordOf());
    assert.deepInclude(figures, {
      configuredOffered: 3_000,
      configuredDelivered: 3_000,
      configuredLost: 0,
      configuredLostPercent: 0,
      steadyLost: 0,
      acknowledgedLost: 0,
      lostAtDoor: 0,
      unexplained: 0,
      p99LagRatio: 1.1,
      buffersMax: 2,
      restarts: 0,
    });
  });

  it("tell what was given up at the door from what was acknowledged and never came", () => {
    const figures = figuresOf(
      recordOf({
        // 200 given up, of which 50 were stored all the same; 10 more were acknowledged and are gone.
        offered: [offered("steady", 1_500), offered("hurt", 1_500, [[100, 299]])],
        reckoning: { ...reckoning, arrived: [arrived("steady", 1_500), arrived("hurt", 1_340, 50)] },
      }),
    );
    assert.deepInclude(figures, {
      configuredLost: 160,
      configuredLostPercent: 5.33,
      steadyLost: 0,
      lostAtDoor: 150,
      acknowledgedLost: 10,
    });
  });

  it("count a record of a steady customer against the drill, and a dead letter against nobody's word", () => {
    const figures = figuresOf(
      recordOf({
        reckoning: { ...reckoning, arrived: [arrived("steady", 1_499), arrived("hurt", 1_499)] },
        booked: { deadLettered: 1, givenUp: 0 },
      }),
    );
    assert.deepInclude(figures, { configuredLost: 2, steadyLost: 1, deadLettered: 1, acknowledgedLost: 1 });
  });

  it("compare the worst lag from the fault on with the baseline's", () => {
    const ratio = (p99: Parameters<typeof lags>[0]) =>
      figuresOf(recordOf({ reckoning: { ...reckoning, lags: lags(p99) } })).p99LagRatio;
    assert.strictEqual(ratio([1_000, 1_200, 3_000]), 3);
    assert.strictEqual(ratio([1_000, 2_500, 900]), 2.5);
    assert.isNull(ratio([null, 1_000, 1_000]), "without a baseline there is nothing to compare with");
  });

  it("recover when the last record from before the end of the fault has come", () => {
    const recover = (last: readonly [number, number, number]) =>
      figuresOf(recordOf({ reckoning: { ...reckoning, lags: lags([1, 1, 1], last) } })).recoverSeconds;
    assert.strictEqual(recover([11, 24.5, 31]), 4.5);
    assert.strictEqual(recover([27, 21, 31]), 7, "one of the baseline, held up all the time");
    assert.strictEqual(recover([11, 19, 31]), 0, "all had come before the fault was over");
  });

  it("do not call it recovery while records are still lost, or buffers are beyond their limit", () => {
    const second = (at: number) => startedMillis / 1_000 + at;
    /** 100 a second are offered; in these seconds nothing comes. */
    const recover = (lostAt: ReadonlyArray<number>, over: Parameters<typeof recordOf>[0] = {}) => {
      const offeredAt = new Map(Array.from({ length: 30 }, (_, at) => [second(at), 100]));
      const deliveredAt = new Map([...offeredAt].filter(([at]) => !lostAt.includes(at - second(0))));
      const told = { ...reckoning, deliveredAt, lags: lags([1, 1, 1], [11, 19, 31]) };
      return figuresOf(recordOf({ ...over, offeredAt, reckoning: told })).recoverSeconds;
    };
    assert.strictEqual(recover([12, 13]), 0, "lost in the fault and not after it");
    assert.strictEqual(recover([18, 21, 23]), 4);
    assert.isNull(recover([27, 28, 29]), "until the end of the drill");
    const uses = (count: number) => ({ uses: new Map([["residentBuffersMax", count]]) });
    const samples = [sampleAt(19, uses(1_500)), sampleAt(26, uses(1_100)), sampleAt(28, uses(900))];
    assert.strictEqual(recover([], { samples }), 6);
    assert.isNull(recover([], { samples: samples.slice(0, 2) }));
  });

  it("say in which phase how much was lost", () => {
    const second = (at: number) => startedMillis / 1_000 + at;
    const offeredAt = new Map([5, 15, 16, 25].map((at) => [second(at), 100]));
    const deliveredAt = new Map([5, 16, 25].map((at) => [second(at), at === 16 ? 60 : 100]));
    const { lostByPhase } = figuresOf(recordOf({ offeredAt, reckoning: { ...reckoning, deliveredAt } }));
    assert.deepStrictEqual(
      lostByPhase.map(({ lost, offered: all, percent, seconds }) => [seconds, all, lost, percent]),
      [
        [10, 100, 0, 0],
        [10, 200, 140, 70],
        [11, 100, 0, 0],
      ],
    );
  });

  it("are missing, and no bar holds for them, where a node told nothing at the end", () => {
    const figures = figuresOf(recordOf({ booked: undefined }));
    assert.deepInclude(figures, { deadLettered: null, lostWithReceipt: null, acknowledgedLost: null });
    assert.isFalse(judge(aDrill, figures).find(({ figure }) => figure === "acknowledgedLost")?.holds);
  });

  it("count what a node used since the drill began, not what it once used before", () => {
    const high = (highWater: number) => ({ highWaters: new Map([["residentBuffersMax", highWater]]) });
    const over = (marks: ReadonlyArray<number>) =>
      figuresOf(recordOf({ samples: marks.map((mark, at) => sampleAt(at, high(mark))) })).buffersOverLimit;
    assert.strictEqual(over([1_200, 1_200]), 0);
    assert.strictEqual(over([1_200, 1_300]), 300);
    assert.strictEqual(over([0, 1_050]), 50);
  });

  it("count from the end of the fault until a changed job is delivered elsewhere", () => {
    const live = (movedMillis: number | null) =>
      figuresOf(recordOf({ reckoning: { ...reckoning, movedMillis } })).changeLiveSeconds;
    assert.strictEqual(live(startedMillis + 22_500), 2.5);
    assert.strictEqual(live(startedMillis + 15_000), 0, "nobody had to wait for the end of the fault");
    assert.isNull(live(null), "a change that never came into force holds no bar");
  });

  it("detect with the first alert that did not fire before, or with what the drill knows to look at", () => {
    const before = sampleAt(9, { firing: ["old"] });
    const first = (samples: ReturnType<typeof recordOf>["samples"]) => {
      const { detectSeconds, detectedBy } = figuresOf(recordOf({ samples }));
      return [detectSeconds, detectedBy];
    };
    const alert = sampleAt(14, { firing: ["old", "jobLagging"] });
    const open = new Map([['spillway_destination_hosts{circuit="open"}', 1]]);
    const circuit = sampleAt(12, { metrics: open });
    assert.deepStrictEqual(first([before, sampleAt(11, { firing: ["old"] }), alert]), [4, "alert jobLagging"]);
    assert.deepStrictEqual(first([before, circuit, alert]), [2, "circuits of hosts are open"]);
    assert.deepStrictEqual(first([sampleAt(5, { metrics: open }), before]), [null, null], "only from the fault on");
  });

  it("detect each of several faults by what is its own, and are as slow as the slowest", () => {
    const noticed = () => undefined;
    const drill: Drill = {
      ...aDrill,
      faults: [
        { name: "one", phase: aDrill.phases[1]!.name, alerts: ["configRefused"], noticed },
        { name: "two", phase: aDrill.phases[2]!.name, alerts: ["configRefused"], noticed },
        { name: "three", phase: aDrill.phases[2]!.name, alerts: ["unwantedRecords"], noticed: () => "a sign" },
      ],
    };
    const first = 'configRefused{rule="empty"}';
    const second = 'configRefused{rule="added"}';
    const samples = [
      sampleAt(9),
      sampleAt(12, { firing: [first] }),
      sampleAt(19, { firing: [first] }),
      sampleAt(21, { firing: [first, "jobLagging"] }),
      sampleAt(24, { firing: [first, second] }),
    ];
    const figures = figuresOf(recordOf({ drill, samples }));
    assert.deepStrictEqual(
      figures.detections.map(({ alert, alertSeconds, detectSeconds, fault }) => [
        fault,
        detectSeconds,
        alertSeconds,
        alert,
      ]),
      [
        ["one", 2, 2, first],
        // The alert of the first fault goes on: that tells nobody of the second.
        ["two", 4, 4, second],
        ["three", 1, null, null],
      ],
    );
    assert.strictEqual(figures.detectSeconds, 4);
    assert.isNull(figures.alertSeconds, "nobody was told of the third");
  });

  it("take the highest number of buffers, the last word of the books, and every process that ended", () => {
    const figures = figuresOf(
      recordOf({
        samples: [sampleAt(1, { buffers: 40 }), sampleAt(2, { unexplained: 3 }), sampleAt(3, { metrics: new Map() })],
        ended: ["node-1 ended: SIGKILL"],
      }),
    );
    assert.deepInclude(figures, { buffersMax: 40, unexplained: 3, restarts: 1, buffersOverLimit: 0 });
  });
});

it("a node's buffers beyond its limit are counted, and what nobody told is not", () => {
  const uses = (count: number) => new Map([["residentBuffersMax", count]]);
  const samples = [
    sampleAt(1, { uses: uses(900) }),
    sampleAt(2, { uses: uses(1_250) }),
    sampleAt(3, { buffers: null }),
  ];
  assert.strictEqual(figuresOf(recordOf({ samples })).buffersOverLimit, 250);
});

describe("the bars of a drill", () => {
  it("hold at their bound and not beyond it", () => {
    const figures = figuresOf(recordOf());
    const holds = (over: Partial<typeof figures>, figure: string) =>
      judge(aDrill, { ...figures, ...over }).find((bar) => bar.figure === figure)!;
    assert.isTrue(judge(aDrill, { ...figures, detectSeconds: 5 }).every((bar) => bar.holds));
    assert.isTrue(holds({ p99LagRatio: 1.5 }, "p99LagRatio").holds);
    const missed = holds({ p99LagRatio: 1.51 }, "p99LagRatio");
    assert.isFalse(missed.holds);
    assert.strictEqual(barText(missed), "p99LagRatio 1.51 > 1.5");
    assert.isFalse(holds({ configuredLost: 1 }, "configuredLost").holds);
  });

  it("do not hold for what could not be measured", () => {
    const [bar] = judge(aDrill, { ...figuresOf(recordOf()), detectSeconds: null }).filter(
      ({ figure }) => figure === "detectSeconds",
    );
    assert.isFalse(bar!.holds);
    assert.strictEqual(barText(bar!), "detectSeconds could not be measured");
  });
});
