import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { diskFull } from "../../src/drill/drills/disk-full.ts";
import { nov14 } from "../../src/drill/drills/nov14.ts";
import type { GuardName } from "../../src/domain/drill-state.ts";
import { barMatrix } from "../../src/drill/report/bar-matrix.ts";
import { guardRows } from "../../src/drill/report/guard-rows.ts";
import type { DrillRun } from "../../src/drill/conclude.ts";
import { reportPage } from "../../src/drill/report/report-page.ts";
import { lastLineOf, summaryOf } from "../../src/drill/report/summary.ts";
import { writeReport } from "../../src/drill/report/write-report.ts";
import { findChromium, openChromium } from "../support/chromium.ts";
import { aDrill, arrived, offered, recordOf, runOf, sampleAt } from "./run-records.ts";

const phaseLoss = { phase: "", seconds: 10, offered: 1_000, lost: 617, percent: 0 };

const chromium = await findChromium();

const reckoning = recordOf().reckoning;

/** 1,234 records of the hurt customer were given up. */
const withLoss = () =>
  runOf({
    offered: [offered("steady", 1_500), offered("hurt", 1_500, [[0, 1_233]])],
    reckoning: {
      ...reckoning,
      arrived: [arrived("steady", 1_500), arrived("hurt", 266)],
      deliveredAt: new Map([[1_000_000, 100]]),
    },
    samples: [
      sampleAt(5),
      sampleAt(12, { alerts: ["job lagging"], firing: ["job lagging"], buffers: 77 }),
      sampleAt(25),
    ],
  });

const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "spillway-report-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true })),
);

describe("the report of a drill", () => {
  it("is one page that fetches nothing and runs nothing", () => {
    const page = reportPage(aDrill, [withLoss()], "today");
    assert.notMatch(page, /<script|<link|<img|<iframe|@import|url\(/i);
    assert.notMatch(page, /\b(src|href)=/i);
    assert.strictEqual(page.match(/<svg/g)?.length, 5, "alerts and faults on a line of time, and four charts");
  });

  it("has each alert and each armed fault on the line of time, from when to when", () => {
    const samples = [
      sampleAt(8),
      sampleAt(10, { armed: ["generator.empty"] }),
      sampleAt(12, { armed: ["generator.empty"], alerts: ["configRefused"] }),
      sampleAt(14),
      sampleAt(16, { alerts: ["configRefused"] }),
      sampleAt(18),
    ];
    const page = reportPage(aDrill, [runOf({ samples })], "");
    const titles = [...page.matchAll(/<rect class="lane [a-d]"[^>]*><title>([^<]*)<\/title>/g)].map(
      ([, title]) => title,
    );
    assert.deepStrictEqual(titles, [
      "generator.empty: 10 – 14 s",
      "configRefused: 12 – 14 s",
      "configRefused: 16 – 18 s",
    ]);
    assert.strictEqual(reportPage(aDrill, [runOf()], "").match(/<svg/g)?.length, 4, "nothing was on");
  });

  it("compares itself with what the drill is about, on the page and in the summary", () => {
    const lost = withLoss();
    const text = nov14.compared!({ ...lost.figures, lostByPhase: [{ ...phaseLoss, phase: "empty", percent: 61.7 }] });
    assert.match(
      text,
      /55 % of 3\.5 hours; here it is 41\.13 % of 31 s: 61\.7 % in empty \(10 s\)\. It differs because/,
    );
    assert.match(nov14.compared!(runOf().figures), /55 % of 3\.5 hours; here it is nothing of 31 s/);
    const drill = { ...aDrill, compared: () => "compared with <that day>" };
    assert.include(reportPage(drill, [lost], ""), "compared with &#60;that day&#62;");
    assert.include(summaryOf(drill, [lost]), "compared with <that day>");
  });

  it("has a gap where a node said nothing of itself", () => {
    const lines = (silent: ReadonlyArray<string>) => {
      const samples = [sampleAt(1), sampleAt(2), sampleAt(3, { silent }), sampleAt(4), sampleAt(5)];
      const figures = reportPage(aDrill, [runOf({ samples })], "")
        .split("<figure>")
        .slice(1);
      return figures.map((figure) => figure.match(/<polyline/g)?.length);
    };
    assert.deepStrictEqual(lines([]), [3, 1, 1, 1]);
    assert.deepStrictEqual(lines(["node-1"]), [3, 1, 2, 2], "of buffers and of what is pending, not of producers");
  });

  it("escapes what comes from elsewhere", () => {
    const run = { ...withLoss(), problems: ['<script>alert("1")</script>'] };
    const page = reportPage({ ...aDrill, summary: "a < b & c" }, [run], "today");
    assert.notInclude(page, "<script>");
    assert.include(page, "a &#60; b &#38; c");
  });

  it("says that the drill failed when a bar was missed with every guard on, and only then", () => {
    assert.match(reportPage(aDrill, [withLoss()], ""), /data-verdict>failed</);
    const off = withLoss();
    const without = { ...off, figures: { ...off.figures, guardsOff: ["admission" as const] } };
    const good = { ...off, bars: off.bars.map((bar) => ({ ...bar, holds: true })) };
    assert.match(reportPage(aDrill, [good, without], ""), /data-verdict>passed</);
  });

  it("has a row for each protection, with what was lost with it and without it", () => {
    const on = runOf({ drill: diskFull });
    const off = withLoss();
    const without = { ...off, figures: { ...off.figures, guardsOff: ["admission" as const] } };
    const page = reportPage(diskFull, [on, without], "");
    const row = /<table data-table="guards">[\s\S]*?<tbody>([\s\S]*?)<\/tbody>/.exec(page)?.[1] ?? "";
    assert.match(row, /<td>admission<\/td>.*lost 0 \(0 %\).*lost 1,234 \(41\.13 %\)/);
  });

  it("says of each protection which bars are missed without it, peeled or one by one, and of each bar in which run", () => {
    const guards = (["controlGate", "rollout", "servingGate"] as const).map((name) => ({ name, stops: `the ${name}` }));
    const drill = { ...aDrill, guards };
    const without = (run: DrillRun, ...guardsOff: ReadonlyArray<GuardName>): DrillRun => ({
      ...run,
      figures: { ...run.figures, guardsOff },
    });
    const good = () => runOf({ drill });
    const peeled = [
      good(),
      without(good(), "controlGate"),
      without(withLoss(), "controlGate", "rollout"),
      without(withLoss(), "controlGate", "rollout", "servingGate"),
    ];
    const missed = (runs: ReadonlyArray<DrillRun>) =>
      guardRows(drill, runs).map(({ guard, missed: bars }) => [
        guard,
        bars?.some((bar) => bar.startsWith("configuredLost")),
      ]);
    assert.deepStrictEqual(missed(peeled), [
      ["controlGate", false],
      ["rollout", true],
      ["servingGate", false],
      ["all of them", true],
    ]);
    const single = [
      good(),
      without(good(), "controlGate"),
      without(good(), "rollout"),
      without(withLoss(), "servingGate"),
    ];
    assert.deepStrictEqual(missed(single), [
      ["controlGate", false],
      ["rollout", false],
      ["servingGate", true],
    ]);
    assert.deepStrictEqual(missed([good()]).slice(0, 1), [["controlGate", undefined]], "nothing was compared");
    const { rows, runs: titles } = barMatrix(drill, peeled);
    assert.deepStrictEqual(titles, ["all on", "without controlGate", "without controlGate, rollout", "none on"]);
    const lost = rows.find(({ bar }) => bar === "configuredLost ≤ 0");
    assert.deepStrictEqual(lost?.cells, [
      { value: 0, holds: true },
      { value: 0, holds: true },
      { value: 1_234, holds: false },
      { value: 1_234, holds: false },
    ]);
    const page = reportPage(drill, peeled, "");
    const table = /<table data-table="bar-matrix">[\s\S]*?<\/table>/.exec(page)?.[0] ?? "";
    assert.include(table, '<span class="bad">1,234</span>');
    assert.include(page, "none: what it stops, another protection stops as well");
    assert.notInclude(reportPage(drill, [good()], ""), "bar-matrix", "one run is no comparison");
    assert.match(
      summaryOf(drill, peeled),
      /bars missed without[\s\S]*controlGate +-\n {2}rollout +.*configuredLost 1234 > 0/,
    );
  });

  it.live("is beside its JSON, with the same figures", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporary, "made", "for it");
      const run = withLoss();
      const page = yield* writeReport(directory, aDrill, [run]);
      assert.strictEqual(page, join(directory, "report.html"));
      const json = JSON.parse(yield* Effect.promise(() => readFile(join(directory, "report.json"), "utf8")));
      assert.deepStrictEqual(json.runs[0].figures, JSON.parse(JSON.stringify(run.figures)));
      assert.strictEqual(json.runs[0].timeline.length, 3);
      assert.deepStrictEqual(json.runs[0].lostAt, [
        [0, 0, 100],
        [1, 100, 100],
      ]);
    }),
  );

  it.live.skipIf(chromium === undefined)(
    "shows a reader the numbers, in a browser, without a complaint",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporary;
        const file = yield* writeReport(directory, aDrill, [withLoss()]);
        const page = yield* openChromium(chromium!);
        yield* page.goto(pathToFileURL(file).href);
        const isShown = "document.querySelectorAll('svg polyline').length >= 5";
        for (let turn = 0; turn < 200 && !(yield* page.evaluate<boolean>(isShown)); turn++) yield* Effect.sleep(50);
        assert.isTrue(yield* page.evaluate<boolean>(isShown));
        const text = yield* page.evaluate<string>("document.body.innerText");
        for (const part of [aDrill.name, "failed", "configuredLost 1234 > 0", "job lagging", "circuitFailuresMax"]) {
          assert.include(text, part);
        }
        // Every line of a chart lies within it.
        const isInside =
          "[...document.querySelectorAll('svg')].every((svg) => [...svg.querySelectorAll('polyline')]" +
          ".every((line) => { const [a, b] = [svg, line].map((each) => each.getBoundingClientRect());" +
          " return b.left >= a.left - 1 && b.right <= a.right + 1 && b.top >= a.top - 1 && b.bottom <= a.bottom + 1; }))";
        assert.isTrue(yield* page.evaluate<boolean>(isInside));
        assert.deepStrictEqual([...page.complaints], []);
      }),
    60_000,
  );
});

describe("what is told at the end", () => {
  it("names every missed bar, and the figures of all runs", () => {
    const text = summaryOf(aDrill, [withLoss()]);
    assert.match(text, /MISSED {2}configuredLost 1234 > 0/);
    assert.include(text, "noticed after 2 s (alert job lagging), alert after 2 s (job lagging)");
    const line = lastLineOf([runOf(), withLoss()]) as Record<string, unknown>;
    assert.deepInclude(line, { drill: aDrill.name, configuredLost: 1_234, configuredLostPercent: 41.13 });
    assert.lengthOf(line["runs"] as Array<unknown>, 2);
    assert.notProperty(lastLineOf([runOf()]), "runs");
  });
});
