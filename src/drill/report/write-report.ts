import { Clock, DateTime, Effect } from "effect";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Drill } from "../drill.ts";
import { type DrillFailure, drillFailure } from "../drill-failure.ts";
import type { DrillRun } from "../conclude.ts";
import { barMatrix } from "./bar-matrix.ts";
import { guardRows } from "./guard-rows.ts";
import { reportPage } from "./report-page.ts";
import { lossOf } from "../record/loss.ts";
import { timelineOf } from "./timeline.ts";

/** Writes `report.html` and `report.json` into a directory, which is made; answers the path of the page. */
export const writeReport = Effect.fn("drill.writeReport")(function* (
  directory: string,
  drill: Drill,
  runs: ReadonlyArray<DrillRun>,
): Effect.fn.Return<string, DrillFailure> {
  const madeAt = DateTime.formatIso(DateTime.makeUnsafe(yield* Clock.currentTimeMillis));
  const page = join(directory, "report.html");
  yield* Effect.tryPromise({
    try: async () => {
      await mkdir(directory, { recursive: true });
      await writeFile(page, reportPage(drill, runs, madeAt));
      await writeFile(
        join(directory, "report.json"),
        `${JSON.stringify(reportJson(drill, runs, madeAt), undefined, 2)}\n`,
      );
    },
    catch: (error) =>
      drillFailure(`The report cannot be written: ${error instanceof Error ? error.message : String(error)}`),
  });
  return page;
});

/** The same as the page, for programs. */
export const reportJson = (drill: Drill, runs: ReadonlyArray<DrillRun>, madeAt: string) => ({
  drill: drill.name,
  summary: drill.summary,
  madeAt,
  guards: guardRows(drill, runs),
  bars: barMatrix(drill, runs),
  runs: runs.map(({ bars, exercised, figures, problems, record }) => ({
    figures,
    bars,
    limitsExercised: exercised,
    problems,
    phases: record.phaseStarts,
    lags: record.reckoning.lags,
    timeline: timelineOf(record),
    lostAt: lossOf(record),
  })),
});
