import { readFile } from "node:fs/promises";
import { Effect } from "effect";
import { runTool } from "./run-tool.ts";

/** What can be told of a process id at this moment. */
export type Sighting =
  /** No such process, or one that has ended and is only waiting to be collected. */
  | { readonly _tag: "Gone" }
  /** `startTime` tells a process from a later one with the same id. Both are undefined when the system hides them. */
  | { readonly _tag: "Alive"; readonly startTime: string | undefined; readonly command: string | undefined };

const gone: Sighting = { _tag: "Gone" };

/** Looks at a process. Never fails: what cannot be read is undefined. */
export const sight = (pid: number): Effect.Effect<Sighting> =>
  process.platform === "linux" ? sightInProc(pid) : sightWithPs(pid);

const sightInProc = Effect.fnUntraced(function* (pid: number): Effect.fn.Return<Sighting> {
  const [stat, command, boot] = yield* Effect.all([
    read(`/proc/${pid}/stat`),
    read(`/proc/${pid}/cmdline`),
    read("/proc/sys/kernel/random/boot_id"),
  ]);
  if (stat === undefined) return exists(pid) ? { _tag: "Alive", startTime: undefined, command: undefined } : gone;
  const { startTicks, state } = parseStat(stat);
  if (state === "Z" || state === "X") return gone;
  return {
    _tag: "Alive",
    // Ticks since the boot: the boot's id keeps them from meaning something else after the next one.
    startTime: startTicks === undefined ? undefined : `${(boot ?? "").trim()}/${startTicks}`,
    command: command === undefined || command === "" ? undefined : command.replaceAll("\0", " ").trim(),
  };
});

/** The second field is the program's name, with whatever spaces and brackets it has: count from the last bracket. */
export const parseStat = (
  stat: string,
): { readonly state: string | undefined; readonly startTicks: string | undefined } => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0], startTicks: fields[19] };
};

const sightWithPs = Effect.fnUntraced(function* (pid: number): Effect.fn.Return<Sighting> {
  const [start, command] = yield* Effect.all([
    runTool("ps", ["-o", "stat=,lstart=", "-p", String(pid)]),
    runTool("ps", ["-ww", "-o", "args=", "-p", String(pid)]),
  ]);
  const [, state, startTime] = /^\s*(\S+)\s+(.+?)\s*$/.exec(start.output) ?? [];
  if (state === undefined) return exists(pid) ? { _tag: "Alive", startTime: undefined, command: undefined } : gone;
  if (state.startsWith("Z")) return gone;
  return { _tag: "Alive", startTime, command: command.output.trim() || undefined };
});

const read = (path: string): Effect.Effect<string | undefined> =>
  Effect.promise(() => readFile(path, "utf8").catch(() => undefined));

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not permitted to signal it: it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};
