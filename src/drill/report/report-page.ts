import type { Drill } from "../drill.ts";
import { barText } from "../record/verdict.ts";
import type { DrillRun } from "../conclude.ts";
import { barMatrix } from "./bar-matrix.ts";
import { chart, type Lane, laneChart, type Point } from "./chart.ts";
import { guardRows } from "./guard-rows.ts";
import { escaped, shown, table } from "./html-text.ts";
import { reportStyle } from "./report-style.ts";
import { lossOf } from "../record/loss.ts";
import { spansOf, type TimelineEntry, timelineOf } from "./timeline.ts";

/** One self-contained page: no script, and nothing that is fetched. @param madeAt when, for people */
export const reportPage = (drill: Drill, runs: ReadonlyArray<DrillRun>, madeAt: string): string => {
  const isGood = runs.every(({ bars, figures }) => figures.guardsOff.length > 0 || bars.every(({ holds }) => holds));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drill ${escaped(drill.name)}: ${isGood ? "passed" : "failed"}</title>
<style>${reportStyle}</style>
</head>
<body>
<header>
<h1>${escaped(drill.name)} <span class="verdict ${isGood ? "good" : "bad"}" data-verdict>${isGood ? "passed" : "failed"}</span></h1>
<p>${escaped(drill.summary)}. ${escaped(madeAt)}.</p>
</header>
<main>
${guardsSection(drill, runs)}
${runs.map((run) => runSection(drill, run)).join("\n")}
</main>
</body>
</html>
`;
};

const guardsSection = (drill: Drill, runs: ReadonlyArray<DrillRun>): string => {
  const rows = guardRows(drill, runs);
  if (rows.length === 0) return "";
  const cells = rows.map((row) => [
    ...[row.guard, row.stops, row.on, row.off].map(escaped),
    row.missed === null ? "–" : missedCell(row.missed, row.offAlready.length > 0),
  ]);
  return `<section><h2>What each protection is good for</h2>
${rows.some(({ offAlready }) => offAlready.length > 0) ? peeledNote : ""}
${table("guards", ["protection", "stops", "on", "off", "bars missed without it"], cells)}
${runs.length > 1 ? matrixTable(drill, runs) : ""}
</section>`;
};

const peeledNote = "<p>Peeled: in each row, the protections of the rows above are off already.</p>";

/** @param isPeeled whether others were off already, and bars missed for it */
const missedCell = (missed: ReadonlyArray<string>, isPeeled: boolean): string =>
  missed.length === 0
    ? isPeeled
      ? "none but those that were missed before"
      : "none: what it stops, another protection stops as well"
    : missed.map((text) => `<span class="bad">${escaped(text)}</span>`).join("<br>");

const matrixTable = (drill: Drill, runs: ReadonlyArray<DrillRun>): string => {
  const { rows, runs: titles } = barMatrix(drill, runs);
  const cells = rows.map(({ bar, cells: values }) => [
    escaped(bar),
    ...values.map(({ holds, value }) => `<span class="${holds ? "good" : "bad"}">${shown(value)}</span>`),
  ]);
  return `<h3>Every bar, run by run</h3><div class="wide">${table("bar-matrix", ["bar", ...titles], cells)}</div>`;
};

const runSection = (drill: Drill, run: DrillRun): string => {
  const { guardsOff } = run.figures;
  const title = guardsOff.length === 0 ? "With every protection" : `Without ${guardsOff.join(", ")}`;
  return `<section data-run="${escaped(guardsOff.join(" ") || "all on")}">
<h2>${escaped(title)}</h2>
${drill.compared === undefined ? "" : `<p data-compared>${escaped(drill.compared(run.figures))}</p>`}
${barsTable(run)}
${charts(run)}
${phasesTable(drill, run)}
${alertsTable(run)}
${limitsTable(drill, run)}
${figuresTable(run)}
${run.problems.length === 0 ? "" : `<h3>Beside</h3><ul>${run.problems.map((text) => `<li>${escaped(text)}</li>`).join("")}</ul>`}
</section>`;
};

const barsTable = ({ bars }: DrillRun): string =>
  table(
    "bars",
    ["", "bar", "which means"],
    bars.map((bar) => [
      `<span class="verdict ${bar.holds ? "good" : "bad"}">${bar.holds ? "holds" : "missed"}</span>`,
      escaped(barText(bar)),
      escaped(bar.about),
    ]),
  );

const charts = ({ figures, record }: DrillRun): string => {
  const timeline = timelineOf(record);
  const points = (of: (entry: TimelineEntry) => number | null): ReadonlyArray<Point> =>
    timeline.map((entry) => [entry.seconds, of(entry)]);
  // A node that does not answer says nothing of its buffers, which is not that it has none.
  const told = (of: (entry: TimelineEntry) => number | null): ReadonlyArray<Point> =>
    points((entry) => (entry.silent.length === 0 ? of(entry) : null));
  const shared = { spans: spansOf(record), seconds: record.seconds };
  const bound = figures.buffersLimit > 0 ? { name: "residentBuffersMax", value: figures.buffersLimit } : undefined;
  const lanes = [...lanesOf(timeline, "d", ({ armed }) => armed), ...lanesOf(timeline, "c", ({ alerts }) => alerts)];
  return [
    ...(lanes.length === 0
      ? []
      : [laneChart({ ...shared, title: "Faults that are armed, and alerts that fire", lanes })]),
    chart({
      ...shared,
      title: "Records a second",
      series: [
        { name: "offered", colour: "a", points: points(({ offeredPerSecond }) => offeredPerSecond) },
        { name: "delivered", colour: "b", points: points(({ deliveredPerSecond }) => deliveredPerSecond) },
        { name: "requests refused", colour: "c", points: points((entry) => entry.refusedRequestsPerSecond) },
      ],
    }),
    chart({
      ...shared,
      title: "Records lost, by the second in which they were offered",
      series: [{ name: "lost", colour: "c", points: lossOf(record).map(([seconds, lost]): Point => [seconds, lost]) }],
    }),
    chart({
      ...shared,
      title: "Buffers in memory",
      series: [{ name: "buffers", colour: "d", points: told(({ buffers }) => buffers) }],
      bound,
    }),
    chart({
      ...shared,
      title: "Records stored and not delivered",
      series: [{ name: "pending", colour: "a", points: told(({ pending }) => pending) }],
    }),
  ].join("\n");
};

/** One lane for each name, from the first sample that has it to the first that has it no more. */
const lanesOf = (
  timeline: ReadonlyArray<TimelineEntry>,
  colour: Lane["colour"],
  namesOf: (entry: TimelineEntry) => ReadonlyArray<string>,
): ReadonlyArray<Lane> => {
  const names = [...new Set(timeline.flatMap(namesOf))];
  return names.map((name) => {
    const times: Array<[number, number]> = [];
    for (const [at, entry] of timeline.entries()) {
      if (!namesOf(entry).includes(name)) continue;
      const to = timeline[at + 1]?.seconds ?? entry.seconds;
      const current = times.at(-1);
      if (current !== undefined && current[1] >= entry.seconds) current[1] = to;
      else times.push([entry.seconds, to]);
    }
    return { name, colour, times };
  });
};

const phasesTable = (drill: Drill, run: DrillRun): string => {
  const { record } = run;
  const spans = spansOf(record);
  const rows = record.reckoning.lags.map(({ p50Millis, p99Millis, phase, records }) => {
    const span = spans.find(({ name }) => name === phase);
    const about = drill.phases.find(({ name }) => name === phase)?.about ?? "nothing is measured yet";
    const loss = run.figures.lostByPhase.find((each) => each.phase === phase);
    return [
      escaped(phase),
      span === undefined ? "–" : `${shown(span.from)} – ${shown(span.to)} s`,
      escaped(about),
      `${shown(loss?.lost ?? 0)} (${shown(loss?.percent ?? 0)} %)`,
      shown(records),
      shown(p50Millis === null ? null : Math.round(p50Millis)),
      shown(p99Millis === null ? null : Math.round(p99Millis)),
    ];
  });
  const titles = ["phase", "when", "what happens", "lost", "steady records delivered", "p50 lag, ms", "p99 lag, ms"];
  return `<h3>Phases</h3>${table("phases", titles, rows)}`;
};

const alertsTable = ({ figures, record }: DrillRun): string => {
  const noticed = figures.detections.map((each) => [
    escaped(each.fault),
    each.detectSeconds === null ? "never" : `${shown(each.detectSeconds)} s`,
    escaped(each.detectedBy ?? "–"),
    each.alertSeconds === null ? "never" : `${shown(each.alertSeconds)} s`,
    escaped(each.alert ?? "–"),
  ]);
  const titles = ["fault", "noticed after", "by", "alert after", "alert"];
  const rows = figures.alerts.map((name) => {
    const firing = record.samples.filter(({ alerts }) => alerts.includes(name));
    return [escaped(name), `${shown(firing[0]?.seconds)} s`, `${shown(firing.at(-1)?.seconds)} s`];
  });
  const list =
    rows.length === 0 ? "<p>No alert fired.</p>" : table("alerts", ["alert", "first seen", "last seen"], rows);
  return `<h3>Alerts</h3>${table("noticed", titles, noticed)}${list}`;
};

const limitsTable = (drill: Drill, { exercised }: DrillRun): string => {
  if (drill.exercises.length === 0) return "";
  const rows = drill.exercises.map(({ limit, seen }) => [
    escaped(limit),
    exercised.includes(limit) ? "reached" : "not reached",
    escaped(seen),
  ]);
  return `<h3>Limits that it exercises</h3>${table("limits", ["limit", "this time", "shown by"], rows)}`;
};

const figuresTable = ({ figures }: DrillRun): string => {
  // Faults have a table of their own.
  const { detections: _faults, lostByPhase: _phases, ...others } = figures;
  const rows = Object.entries(others).map(([name, value]) => [
    escaped(name),
    typeof value === "number" || value === null
      ? shown(value)
      : escaped(typeof value === "string" ? value : value.join(", ")),
  ]);
  return `<details><summary>Every figure</summary>${table("figures", ["figure", "value"], rows)}</details>`;
};
