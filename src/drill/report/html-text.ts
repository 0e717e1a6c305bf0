/** Text as it stands between tags and in attributes. */
export const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

export const row = (cells: ReadonlyArray<string>, tag: "td" | "th" = "td"): string =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;

/** @param rows cells that are HTML already */
export const table = (
  name: string,
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
): string =>
  `<table data-table="${escaped(name)}"><thead>${row(titles.map(escaped), "th")}</thead>` +
  `<tbody>${rows.map((cells) => row(cells)).join("\n")}</tbody></table>`;

/** Grouped by thousands, at most two digits after the point; `–` for what was not measured. */
export const shown = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: 2 });
