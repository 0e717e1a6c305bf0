import { assert, describe, it } from "@effect/vitest";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { toDirectedGraph } from "xstate/graph";
import { bufferMachine } from "../src/actors/buffer/machine.ts";
import { alphabet, eventNames } from "./actors/buffer/machine-alphabet.ts";
import { restingStates, transitionTable } from "./actors/buffer/transition-table.ts";

/** Style and documents that a machine can hold. */

interface Layer {
  readonly files: RegExp;
  /** Packages by name, our own files by their path. */
  readonly mayImport: ReadonlyArray<RegExp>;
}

const effect = /^effect$/;
const ports = /^src\/actors\/ports\//;
const domain = /^src\/domain\//;
const node = /^node:/;

/** Who may import whom; the first row that fits a file counts. A file or an import that no row lists fails. */
const layers: ReadonlyArray<Layer> = [
  { files: /^src\/domain\//, mayImport: [effect, domain] },
  { files: /^src\/actors\/[^/]+\/machine\.ts$/, mayImport: [/^xstate$/, domain] },
  { files: /^src\/actors\/ports\//, mayImport: [effect, domain, ports] },
  {
    files: /^src\/actors\//,
    mayImport: [effect, /^xstate$/, /^node:(crypto|zlib|buffer)$/, domain, /^src\/observability\//, /^src\/actors\//],
  },
  { files: /^src\/observability\/inspection\//, mayImport: [/^xstate$/, /^src\/observability\//] },
  { files: /^src\/observability\//, mayImport: [effect, domain, /^src\/observability\//, /^src\/api\/reports\.ts$/] },
  {
    files: /^src\/streams\//,
    mayImport: [effect, node, /^@nats-io\//, /^msgpackr$/, domain, ports, /^src\/(streams|observability)\//],
  },
  {
    files: /^src\/destinations\//,
    mayImport: [effect, node, /^(undici|aws4fetch)$/, domain, ports, /^src\/(destinations|observability)\//],
  },
  { files: /^src\/forwarder\//, mayImport: [effect, node, domain, ports, /^src\/(forwarder|observability)\//] },
  { files: /^src\/snapshot\//, mayImport: [effect, node, /^msgpackr$/, domain, /^src\/snapshot\//] },
  {
    files: /^src\/serving\//,
    mayImport: [effect, node, domain, ports, /^src\/(serving|snapshot|observability)\//],
  },
  {
    files: /^src\/control\//,
    mayImport: [
      effect,
      node,
      /^(yaml|xstate)$/,
      domain,
      ports,
      /^src\/actors\/rollout\/machine\.ts$/,
      /^src\/(control|snapshot|streams)\//,
    ],
  },
  {
    files: /^src\/api\//,
    mayImport: [
      /^effect(\/|$)/,
      /^@effect\/platform-node\//,
      node,
      /^ws$/,
      domain,
      ports,
      /^src\/(api|observability|forwarder)\//,
    ],
  },
  {
    // The thread itself loads Node's modules and our own small ones: every import is there a second time.
    files: /^src\/control-thread\/(?!(control-)?thread\.ts$)/,
    mayImport: [node, /^src\/control-thread\//, /^src\/api\/(access|bounded-server|routed-request)\.ts$/],
  },
  {
    files: /^src\/control-thread\//,
    mayImport: [
      effect,
      node,
      /^src\/(control-thread|observability)\//,
      /^src\/api\/(access|listen-error|routed-request)\.ts$/,
    ],
  },
  {
    // Producers and destinations: every import is there a second time, on a thread of its own.
    files: /^src\/drill\/traffic\/(?!traffic(-thread)?\.ts$)/,
    mayImport: [node, /^src\/drill\/traffic\//],
  },
  {
    // Starts worlds and asks them over their API, as anybody could: it looks inside no node.
    files: /^src\/drill\//,
    mayImport: [
      effect,
      node,
      /^undici$/,
      domain,
      /^src\/drill\//,
      /^src\/control\/(alert-rules|limit-defaults)\.ts$/,
      /^src\/streams\/(topology|embedded\/server)\.ts$/,
      /^src\/api\/([a-z-]+-)?reports\.ts$/,
    ],
  },
  {
    files: /^src\/cli\//,
    mayImport: [
      /^effect(\/|$)/,
      /^@effect\/platform-node\//,
      node,
      /^(undici|yaml|ws)$/,
      domain,
      /^src\/(cli|control|drill|observability)\//,
      /^src\/api\/(([a-z-]+-)?reports|contract|follow-pages)\.ts$/,
      // A command starts a node; it does not look inside one.
      /^src\/node\/run\.ts$/,
    ],
  },
  {
    files: /^src\/node\//,
    mayImport: [
      /^effect(\/|$)/,
      node,
      domain,
      /^src\/(node|actors|streams|destinations|forwarder|control|control-thread|api|observability|serving|snapshot)\//,
      /^src\/cli\/package-version\.ts$/,
    ],
  },
  { files: /^src\/main\.ts$/, mayImport: [node, /^src\/cli\//] },
];

const withoutComments = (code: string): string => code.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");

const importsOf = (file: string): ReadonlyArray<string> =>
  [
    ...withoutComments(readFileSync(file, "utf8")).matchAll(
      /(?:^(?:import|export)\b[^"'`;]*?\bfrom\s+|^import\s+|\bimport\(\s*)"([^"]+)"/gm,
    ),
  ].map(([, path]) => (path!.startsWith(".") ? normalize(join(dirname(file), path!)) : path!));

const sources = globSync("src/**/*.ts").toSorted();
const everything = globSync("{src,test,demo,bench}/**/*.ts").toSorted();
const spec = readFileSync("docs/SPEC.md", "utf8");

describe("imports", () => {
  it("point downwards only", () => {
    const strays = sources.flatMap((file) => {
      const layer = layers.find(({ files }) => files.test(file));
      if (layer === undefined) return [`${file} belongs to no layer`];
      return importsOf(file)
        .filter((path) => !layer.mayImport.some((allowed) => allowed.test(path)))
        .map((path) => `${file} imports ${path}`);
    });
    assert.deepStrictEqual(strays, []);
  });

  it("are found, whatever their form", () => {
    assert.includeMembers(
      [...importsOf("src/actors/buffer/buffer.ts")],
      ["src/actors/ports/log.ts", "src/domain/books.ts"],
    );
    assert.include(importsOf("src/cli/client.ts"), "src/cli/exchange.ts");
    assert.include(importsOf("src/actors/partition/checkpointer.ts"), "src/observability/delivery-metrics.ts");
  });
});

describe("machines", () => {
  const banned = [
    /\bDate\b/,
    /\bMath\.random\b/,
    /\bset(Timeout|Interval)\b/,
    /\bfetch\(/,
    /\bprocess\b/,
    /\bconsole\b/,
  ];

  for (const file of globSync("src/actors/*/machine.ts")) {
    it(`${file} knows no clock, no chance and no outside`, () => {
      const code = withoutComments(readFileSync(file, "utf8"));
      assert.deepStrictEqual(
        banned.filter((word) => word.test(code)),
        [],
      );
    });
  }
});

describe("files", () => {
  it("have no line of more than 120 columns, but for a text that cannot be broken", () => {
    const long = everything.flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line, i) => {
          const isText = !/^\s*(\*|\/\*|\/\/)/.test(line) && /["'`/].{30,}["'`/]/.test(line);
          return [...line].length > 120 && !isText ? [`${file}:${i + 1}`] : [];
        }),
    );
    assert.deepStrictEqual(long, []);
  });

  it("are named after what is in them", () => {
    const named = /(^|\/)(index|utils?|helpers?|common|types|misc|shared)\.ts$|[A-Z_]/;
    assert.deepStrictEqual(
      everything.filter((file) => named.test(file)),
      [],
    );
  });
});

/** The cells of the markdown table after a heading, header and rule left out. */
const tableAfter = (heading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const from = spec.indexOf(`\n${heading}\n`);
  assert.notStrictEqual(from, -1, `SPEC.md has no "${heading}"`);
  const lines = spec.slice(from).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  const length = lines.slice(first).findIndex((line) => !line.startsWith("|"));
  return lines.slice(first + 2, first + length).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
};

describe("SPEC.md", () => {
  it("lists the machine's states", () => {
    const below = (key: string, { children }: ReturnType<typeof toDirectedGraph>): Array<string> =>
      children.flatMap((child) => {
        const name = `${key}.${child.stateNode.key}`;
        return [name, ...below(name, child)];
      });
    const declared = toDirectedGraph(bufferMachine).children.flatMap((region) => below(region.stateNode.key, region));
    assert.sameMembers(
      tableAfter("### States").map(([state]) => state!),
      declared,
    );
  });

  it("lists the machine's events", () => {
    const own = bufferMachine.events.filter((type) => !type.startsWith("xstate."));
    assert.sameMembers(
      tableAfter("### Events").map(([event]) => event!),
      own,
    );
    assert.sameMembers(
      [...new Set(eventNames.map((name) => alphabet[name].type))].filter((type) => !type.startsWith("xstate.")),
      own,
    );
  });

  it("has the transition table that the machine is tested against", () => {
    const expected = eventNames.map((name) => [
      name,
      ...restingStates.map((state) => (transitionTable[state][name] === state ? "·" : transitionTable[state][name])),
    ]);
    assert.deepStrictEqual(tableAfter("### Transitions"), expected);
  });

  it("draws every state of the machine", () => {
    const chart = /```mermaid\n([\s\S]*?)```/.exec(spec)?.[1] ?? "";
    for (const [state] of tableAfter("### States"))
      assert.match(chart, new RegExp(`\\b${state!.split(".").at(-1)}\\b`));
  });

  for (const id of Array.from({ length: 12 }, (_, i) => `I${i + 1}`)) {
    it(`says how ${id} is enforced: by tests that exist, or by which issue`, () => {
      const paragraph = new RegExp(`^\\*\\*${id}\\*\\* [\\s\\S]*?(?=\\n\\n)`, "m").exec(spec)?.[0] ?? "";
      const enforcement = /[*_]Enforcement[*_]: ([\s\S]*)/.exec(paragraph)?.[1];
      assert.isDefined(enforcement, `${id} has no Enforcement`);
      const tests = enforcement!.match(/test\/[\w./-]+\.ts/g) ?? [];
      assert.isTrue(tests.length > 0 || /not yet: issue \d+/.test(enforcement!), enforcement);
    });
  }

  it("names no file that does not exist", () => {
    const named = spec.match(/(?:test|src)\/[\w./-]+\.ts/g) ?? [];
    assert.isAbove(named.length, 40);
    assert.deepStrictEqual(
      named.filter((file) => !existsSync(file)),
      [],
    );
  });
});
