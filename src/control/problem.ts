/** Something wrong in what a person wrote. `path` leads to the value; the last step of an unknown key is that key. */
export interface Problem {
  readonly path: ReadonlyArray<string | number>;
  /** Never holds a value that may be a secret. */
  readonly message: string;
  /** The key itself is at fault, not its value. */
  readonly atKey?: boolean;
}

/** `["jobs", 3, "batch", "maxBytes"]` → `jobs[3].batch.maxBytes`. */
const pathText = (path: ReadonlyArray<string | number>): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");

/** `jobs[3].batch.maxBytes: must be …, got 7`. */
export const problemText = ({ message, path }: Problem): string =>
  path.length === 0 ? message : `${pathText(path)}: ${message}`;

/** So many are told at once; who has more has a file of another kind. */
const toldMax = 100;

/** At most 100 lines, and how many more there are. */
export const problemLines = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= toldMax ? lines : [...lines.slice(0, toldMax), `… and ${lines.length - toldMax} more`];
