/** Units in the names of limits, the longer word first: `replayBytesPerSecondMax` is no number of bytes. */
const words: ReadonlyArray<readonly [word: RegExp, unit: string]> = [
  [/BytesPerSecond/, "bytes/s"],
  [/PerSecond/, "per second"],
  [/Bytes/, "bytes"],
  [/Millis/, "ms"],
  [/Seconds/, "s"],
  [/Percent/, "%"],
];

/** What a limit counts, from its name: `windowBytesMax` → `bytes`; `count` where it is a plain number of things. */
export const unitOf = (name: string): string => words.find(([word]) => word.test(name))?.[1] ?? "count";
