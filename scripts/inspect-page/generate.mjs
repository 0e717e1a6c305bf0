// Writes src/api/inspect-page.generated.ts: the page of /inspect/{job}, with the statechart of the buffer machine laid
// out here, so that neither the node nor the browser needs a layout engine. Run it when the machine or the page has
// changed: `npm run inspect-page`. A test says when that was forgotten.
import ELK from "elkjs";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { bufferMachine } from "../../src/actors/buffer/machine.ts";
import { chartModelOf } from "./chart-model.ts";
import { drawChart } from "./draw.mjs";
import { fingerprint, readPart } from "./sources.ts";

const { edges, root } = chartModelOf(bufferMachine);
const padding = "[top=32,left=16,bottom=16,right=16]";
const textWidth = (text, perCharacter) => Math.ceil(text.length * perCharacter);

const nodeOf = (state) => ({
  id: state.id,
  state,
  width: textWidth(state.key, 7.4) + 36,
  height: 38,
  ...(state.children.length === 0
    ? {}
    : { children: state.children.map(nodeOf), layoutOptions: { "elk.padding": padding } }),
});

const edgeOf = (edge, i) => ({
  id: `edge-${i}`,
  edge,
  sources: [edge.source],
  targets: [edge.target],
  labels: [
    {
      text: edge.events[0],
      width: Math.max(...edge.events.map((event) => textWidth(event, 6.3))) + 8,
      height: edge.events.length * 14 + 2,
    },
  ],
});

const layoutOptions = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeLabel": "4",
  "elk.layered.spacing.nodeNodeBetweenLayers": "34",
  "elk.layered.spacing.edgeNodeBetweenLayers": "16",
  "elk.layered.cycleBreaking.strategy": "MODEL_ORDER",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
};

// Regions are laid out apart and set one below the other: side by side the chart would be too wide to read.
const elk = new ELK();
const drawn = [];
let top = 34;
for (const region of root.children) {
  const within = ({ source }) => source === region.id || source.startsWith(`${region.id}.`);
  const id = `region ${region.id}`;
  const graph = { id, children: [nodeOf(region)], edges: edges.filter(within).map(edgeOf), layoutOptions };
  const layout = await elk.layout(graph);
  drawn.push({ ...layout, x: 16, y: top });
  top += layout.height + 16;
}
if (drawn.flatMap((region) => region.edges).length !== edges.length) throw new Error("An arrow belongs to no region.");
const width = Math.max(...drawn.map((region) => region.width)) + 32;
const chart = drawChart({
  id: "chart",
  width: width + 4,
  height: top + 4,
  children: [{ id: root.id, state: root, x: 2, y: 2, width, height: top, children: drawn }],
  edges: drawn.flatMap((region) => region.edges),
});
const style = readPart("page.css");
const script = readPart("page.js");
const fill = { style: `<style>${style}</style>`, chart, script: `<script>${script}</script>` };
const page = readPart("page.html").replaceAll(/<!-- (\w+) -->/g, (_, name) => fill[name]);
// Of what stands between the tags, to the last space: that is what the browser compares.
const hashOf = (tag) => {
  const text = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page)[1];
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
};

const file = new URL("../../src/api/inspect-page.generated.ts", import.meta.url);
writeFileSync(
  file,
  [
    "// Made by scripts/inspect-page/generate.mjs from the buffer machine and web/inspect: do not edit.",
    `export const fingerprint = ${JSON.stringify(fingerprint())};`,
    `export const styleHash = ${JSON.stringify(hashOf("style"))};`,
    `export const scriptHash = ${JSON.stringify(hashOf("script"))};`,
    "export const page: string = [",
    ...page.split("\n").map((line) => `  ${JSON.stringify(line)},`),
    '].join("\\n");',
    "",
  ].join("\n"),
);
