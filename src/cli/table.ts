/** Columns of text: numbers to the right, words to the left, two spaces between. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

export const formatTable = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = columns.map((column, at) =>
    rows.reduce((widest, row) => Math.max(widest, (row[at] ?? "").length), column.title.length),
  );
  const line = (cells: ReadonlyArray<string>) =>
    columns
      .map((column, at) => {
        const cell = cells[at] ?? "";
        const width = widths[at] ?? 0;
        return column.align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...rows.map(line)].join("\n");
};

/** `1234567` → `1,234,567`. */
export const grouped = (count: number): string => count.toLocaleString("en-US");

/** `1500` → `1.5s`; `90000` → `1m30s`. */
export const shortDuration = (millis: number): string => {
  const seconds = millis / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${Math.floor(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m`;
};
