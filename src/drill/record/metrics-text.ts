/** Samples of Prometheus's text format, by series as it is written (`name` or `name{label="value"}`). */
export const readMetrics = (text: string): ReadonlyMap<string, number> => {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    const value = Number(line.slice(at + 1));
    if (at > 0 && Number.isFinite(value)) found.set(line.slice(0, at), value);
  }
  return found;
};

/** The sum over all series of a name whose labels contain this text. */
export const metricSum = (metrics: ReadonlyMap<string, number>, name: string, labels = ""): number => {
  let sum = 0;
  for (const [series, value] of metrics) {
    const isOfName = series === name || series.startsWith(`${name}{`);
    if (isOfName && series.includes(labels)) sum += value;
  }
  return sum;
};
