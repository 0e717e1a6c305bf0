import { Result } from "effect";
import { type Document, isAlias, isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { type Problem, problemLines, problemText } from "./problem.ts";

/** A YAML or JSON text (JSON is YAML), with the way back from a value to its line. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** `file:line:column: path: message`, in the order of the text. */
  readonly explain: (problems: ReadonlyArray<Problem>) => ReadonlyArray<string>;
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** Aliases of YAML may multiply: a short text must not become a huge value. */
const aliasesMax = 1_000;

/**
 * JSON above this is read by the native parser, and again with its lines only when something is wrong with it: 100,000
 * jobs take 20 s and 2 GB as YAML nodes. The price: of a key that is there twice, the last one counts.
 */
const nativeCharactersMin = 1_000_000;

/** Fails with lines like those of `explain`. They never quote the text: it may hold secrets. */
export const parseSource = (file: string, text: string): Result.Result<SourceDocument, ReadonlyArray<string>> => {
  const value = text.length < nativeCharactersMin ? undefined : parseJson(text);
  if (value === undefined) return parseWithLines(file, text);
  const explain = (problems: ReadonlyArray<Problem>) => {
    if (problems.length === 0) return [];
    const document = parseWithLines(file, text);
    return Result.isSuccess(document) ? document.success.explain(problems) : document.failure;
  };
  return Result.succeed({ file, value, explain });
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // YAML, or broken: the other parser will tell.
    return undefined;
  }
};

const parseWithLines = (file: string, text: string): Result.Result<SourceDocument, ReadonlyArray<string>> => {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: false, version: "1.2" });
  const at = ({ column, line }: Place) => `${file}:${line}:${column}`;
  const placeOf = (offset: number): Place => {
    const { col, line } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    // One line for each place: the last error there is the most particular one.
    const lines = new Map(document.errors.map(({ code, pos }) => [at(placeOf(pos[0])), syntaxText(code)]));
    return Result.fail(problemLines([...lines].map(([place, words]) => `${place}: ${words}`)));
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: aliasesMax });
  } catch {
    return Result.fail([`${file}:1:1: its aliases cannot be resolved, or there are more than ${aliasesMax}`]);
  }
  const explain = (problems: ReadonlyArray<Problem>) =>
    problemLines(
      problems
        .map((problem) => ({ problem, place: placeOf(offsetOf(document, problem)) }))
        .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
        .map(({ place, problem }) => `${at(place)}: ${problemText(problem)}`),
    );
  return Result.succeed({ file, value, explain });
};

/** Of the value, or of the nearest value around it when it is missing; of the key when the key is at fault. */
const offsetOf = (document: Document.Parsed, { atKey, path }: Problem): number => {
  let node: unknown = document.contents;
  let offset = offsetOfNode(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const [key, value] = childOf(node, step);
    const isLast = depth === path.length - 1;
    const next = offsetOfNode(isLast && atKey === true ? key : value) ?? offsetOfNode(key);
    if (next === undefined) return offset;
    offset = next;
    node = value;
  }
  return offset;
};

/** Key and value nodes of one step down. */
const childOf = (node: unknown, step: string | number): readonly [unknown, unknown] => {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step));
    return isPair(pair) ? [pair.key, pair.value] : [undefined, undefined];
  }
  const items = typeof node === "object" && node !== null && "items" in node ? node.items : [];
  const item = Array.isArray(items) ? (items[Number(step)] as unknown) : undefined;
  return [item, item];
};

const offsetOfNode = (node: unknown): number | undefined => (isNode(node) ? (node as Node).range?.[0] : undefined);

/** The parser's own words quote the text. */
const syntaxText = (code: string): string => `is not valid YAML or JSON: ${syntaxWords[code] ?? "unexpected text"}`;

const syntaxWords: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias cannot have a tag or an anchor",
  BAD_ALIAS: "an alias without a name",
  BAD_DIRECTIVE: "an unknown directive",
  BAD_DQ_ESCAPE: "an unknown escape in a quoted string",
  BAD_INDENT: "wrong indentation",
  BAD_SCALAR_START: "a value cannot begin with this character without quotes",
  BLOCK_AS_IMPLICIT_KEY: "a nested mapping must begin on a line of its own",
  BLOCK_IN_FLOW: "a block cannot be inside brackets",
  DUPLICATE_KEY: "this key is there twice",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters",
  MISSING_CHAR: "a character is missing, such as a quote, a bracket, a comma or a colon",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line",
  MULTIPLE_DOCS: "more than one document",
  TAB_AS_INDENT: "a tab cannot indent",
  TAG_RESOLVE_FAILED: "an unknown tag",
  UNEXPECTED_TOKEN: "unexpected text",
};
