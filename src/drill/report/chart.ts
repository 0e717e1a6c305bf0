import { escaped, shown } from "./html-text.ts";

/** Seconds since the start, and the value there; null: not known, a gap in the line. */
export type Point = readonly [seconds: number, value: number | null];

export interface Series {
  readonly name: string;
  /** One of the page's colours: `a` to `d`. */
  readonly colour: "a" | "b" | "c" | "d";
  readonly points: ReadonlyArray<Point>;
}

export interface Span {
  readonly name: string;
  readonly kind: "baseline" | "fault" | "recovery" | "end";
  readonly from: number;
  readonly to: number;
}

export interface ChartOptions {
  readonly title: string;
  readonly series: ReadonlyArray<Series>;
  readonly spans: ReadonlyArray<Span>;
  readonly seconds: number;
  /** A line that must not be crossed. */
  readonly bound?: { readonly name: string; readonly value: number } | undefined;
}

const width = 960;
const height = 190;
const inner = { left: 64, right: 12, top: 26, bottom: 24 };

/** A line chart over time as inline SVG: no script, no font, nothing from elsewhere. */
export const chart = ({ bound, seconds, series, spans, title }: ChartOptions): string => {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const highest = values.reduce((most, value) => Math.max(most, value), 0);
  // A bound far above everything would flatten the lines: then it is told, not drawn.
  const isDrawn = bound !== undefined && bound.value <= 2 * Math.max(1, highest);
  const top = ceiling(Math.max(1, highest, isDrawn ? bound.value : 0));
  const x = (at: number) => inner.left + (at / Math.max(1, seconds)) * (width - inner.left - inner.right);
  const y = (value: number) => height - inner.bottom - (value / top) * (height - inner.top - inner.bottom);
  const parts = [
    ...spans.map((span) => background(span, x)),
    ...[0, 0.5, 1].map((share) => gridLine(share * top, y)),
    ...ticks(seconds).map((at) => label(x(at), height - 8, `${at} s`, "middle")),
    ...series.map((each) => line(each, x, y)),
    ...(isDrawn ? [boundLine(bound.value, y, bound.name)] : []),
  ];
  const told = bound === undefined || isDrawn ? "" : ` (${bound.name}: ${shown(bound.value)})`;
  const legend = series
    .map(({ colour, name }) => `<span class="key"><i class="dot ${colour}"></i>${escaped(name)}</span>`)
    .join("");
  return (
    `<figure><figcaption>${escaped(title)}${escaped(told)}${legend}</figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg></figure>`
  );
};

/** Something that was on for a while, or several times. */
export interface Lane {
  readonly name: string;
  readonly colour: Series["colour"];
  /** From and to, in seconds since the start. */
  readonly times: ReadonlyArray<readonly [from: number, to: number]>;
}

const laneHeight = 20;

/** What was on when, one lane each, over the same time as the charts. */
export const laneChart = ({
  lanes,
  seconds,
  spans,
  title,
}: Omit<ChartOptions, "series" | "bound"> & { readonly lanes: ReadonlyArray<Lane> }): string => {
  const tall = inner.top + lanes.length * laneHeight + inner.bottom;
  const x = (at: number) => inner.left + (at / Math.max(1, seconds)) * (width - inner.left - inner.right);
  const parts = [
    ...spans.map((span) => background(span, x, tall)),
    ...ticks(seconds).map((at) => label(x(at), tall - 8, `${at} s`, "middle")),
    ...lanes.flatMap(({ colour, name, times }, at) => {
      const top = inner.top + at * laneHeight;
      const bars = times.map(
        ([from, to]) =>
          `<rect class="lane ${colour}" x="${rounded(x(from))}" y="${top + 4}" ` +
          `width="${rounded(Math.max(2, x(to) - x(from)))}" height="${laneHeight - 8}"><title>${escaped(name)}: ` +
          `${shown(from)} – ${shown(to)} s</title></rect>`,
      );
      const beside = x(times[0]?.[0] ?? 0);
      // Its name stands before its bar where there is room for it.
      const [at_, anchor] =
        beside > width / 2 ? ([beside - 6, "end"] as const) : ([x(times.at(-1)?.[1] ?? 0) + 6, "start"] as const);
      return [...bars, label(at_, top + laneHeight - 6, name, anchor)];
    }),
  ];
  return (
    `<figure><figcaption>${escaped(title)}</figcaption>` +
    `<svg viewBox="0 0 ${width} ${tall}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg></figure>`
  );
};

/** 1, 2 or 5 times a power of ten. */
const ceiling = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
};

const ticks = (seconds: number): ReadonlyArray<number> => {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600].find((each) => seconds / each <= 14) ?? 7_200;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
};

const rounded = (value: number): string => value.toFixed(1);

const background = ({ from, kind, name, to }: Span, x: (at: number) => number, tall = height): string =>
  `<rect class="span ${kind}" x="${rounded(x(from))}" y="${inner.top}" width="${rounded(Math.max(0, x(to) - x(from)))}" ` +
  `height="${tall - inner.top - inner.bottom}"/>${label(x(from) + 4, inner.top - 8, name, "start")}`;

const gridLine = (value: number, y: (value: number) => number): string =>
  `<line class="grid" x1="${inner.left}" x2="${width - inner.right}" y1="${rounded(y(value))}" y2="${rounded(y(value))}"/>` +
  label(inner.left - 8, y(value) + 4, shown(value), "end");

const label = (x: number, y: number, text: string, anchor: "start" | "middle" | "end"): string =>
  `<text x="${rounded(x)}" y="${rounded(y)}" text-anchor="${anchor}">${escaped(text)}</text>`;

const line = ({ colour, name, points }: Series, x: (at: number) => number, y: (value: number) => number): string =>
  runsOf(points)
    .map((run) => run.map(([at, value]) => `${rounded(x(at))},${rounded(y(value))}`).join(" "))
    .map((path) => `<polyline class="${colour}" points="${path}"><title>${escaped(name)}</title></polyline>`)
    .join("");

/** What lies between two gaps, each a line of its own. */
const runsOf = (points: ReadonlyArray<Point>): ReadonlyArray<ReadonlyArray<readonly [number, number]>> => {
  const runs: Array<Array<readonly [number, number]>> = [];
  let current: Array<readonly [number, number]> | undefined;
  for (const [at, value] of points) {
    if (value === null) current = undefined;
    else if (current === undefined) runs.push((current = [[at, value]]));
    else current.push([at, value]);
  }
  return runs;
};

const boundLine = (value: number, y: (value: number) => number, name: string): string =>
  `<line class="bound" x1="${inner.left}" x2="${width - inner.right}" y1="${rounded(y(value))}" y2="${rounded(y(value))}"/>` +
  label(width - inner.right - 4, y(value) - 4, name, "end");
