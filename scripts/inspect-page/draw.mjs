// A laid-out chart as SVG. No style attribute: the page's Content-Security-Policy forbids them.
const escape = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const at = (value) => Math.round(value * 10) / 10;

/** @param chart what elkjs answers, with `state` on each node and `edge` on each edge */
export const drawChart = (chart) => {
  const places = new Map();
  const states = [];
  const edges = [];
  placeState(chart, 0, 0, places, states);
  for (const edge of chart.edges) edges.push(drawEdge(edge, places));
  const width = Math.ceil(chart.width);
  const height = Math.ceil(chart.height);
  return [
    `<svg id="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
      `height="${height}" role="img" aria-labelledby="chart-title">`,
    `<title id="chart-title">Statechart of a buffer</title>`,
    `<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
      `<path d="M0 0L10 5L0 10z"/></marker></defs>`,
    ...states,
    ...edges,
    `</svg>`,
  ].join("\n");
};

const placeState = (node, x, y, places, out) => {
  const left = x + (node.x ?? 0);
  const top = y + (node.y ?? 0);
  places.set(node.id, [left, top]);
  if (node.state !== undefined) out.push(drawState(node, left, top));
  for (const child of node.children ?? []) placeState(child, left, top, places, out);
};

const drawState = ({ children, height, state, width }, x, y) => {
  const isCompound = (children ?? []).length > 0;
  const classes = ["state", isCompound ? "compound" : "atomic", state.isInitial ? "initial" : ""];
  const text = isCompound
    ? `<text x="${at(x + 12)}" y="${at(y + 19)}">${escape(state.key)}</text>`
    : `<text x="${at(x + width / 2)}" y="${at(y + height / 2 + 4.5)}" text-anchor="middle">${escape(state.key)}</text>`;
  const dot = state.isInitial && !isCompound ? `<circle class="dot" cx="${at(x + 9)}" cy="${at(y + 9)}" r="3"/>` : "";
  return (
    `<g class="${classes.filter(Boolean).join(" ")}" data-state="${escape(state.id)}">` +
    `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="8"/>${dot}${text}</g>`
  );
};

const drawEdge = ({ container, edge, labels, sections }, places) => {
  const [x, y] = places.get(container) ?? [0, 0];
  const lines = sections.map(({ bendPoints, endPoint, startPoint }) => {
    const points = [startPoint, ...(bendPoints ?? []), endPoint].map((p) => `${at(p.x + x)},${at(p.y + y)}`);
    return `<polyline points="${points.join(" ")}" marker-end="url(#arrow)"/>`;
  });
  const texts = labels.flatMap((label) =>
    edge.events.map(
      (text, i) => `<text x="${at(label.x + x + 3)}" y="${at(label.y + y + 11 + i * 14)}">${escape(text)}</text>`,
    ),
  );
  return (
    `<g class="edge" data-source="${escape(edge.source)}" data-target="${escape(edge.target)}">` +
    `<title>${escape(edge.details.join("\n"))}</title>${lines.join("")}${texts.join("")}</g>`
  );
};
