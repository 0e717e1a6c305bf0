import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** What one process has used since it started. */
export interface ProcessUsage {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
}

const linux = process.platform === "linux";

/** Ticks per second of /proc's times; 100 nearly everywhere. */
const ticksPerSecond = linux ? Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" })) : 100;

/** The usage of a process and of the nats-server that it has started, when they run. */
export const usageOf = (pid: number): { readonly spillway?: ProcessUsage; readonly nats?: ProcessUsage } => {
  const all = linux ? readProc(pid) : readPs();
  const spillway = all.find((each) => each.pid === pid);
  const nats = all.find(({ name, parent }) => parent === pid && name.startsWith("nats-server"));
  return { ...(spillway === undefined ? {} : { spillway }), ...(nats === undefined ? {} : { nats }) };
};

/** The most memory it ever had at once; Linux only, 0 elsewhere. */
export const peakRssBytes = (pid: number): number => {
  if (!linux) return 0;
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return peak === null ? 0 : Number(peak[1]) * 1_024;
};

/** The memory that it has now; Linux only, 0 elsewhere. */
export const rssBytes = (pid: number): number => {
  if (!linux) return 0;
  const now = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return now === null ? 0 : Number(now[1]) * 1_024;
};

const readProc = (pid: number): ReadonlyArray<ProcessUsage> =>
  readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => readStat(Number(entry)) ?? [])
    .filter((each) => each.pid === pid || each.parent === pid);

const readStat = (pid: number): ProcessUsage | undefined => {
  try {
    // The name is in parentheses and may hold anything, spaces and parentheses too.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { pid, parent: Number(fields[1]), name, cpuSeconds: ticks / ticksPerSecond };
  } catch {
    return undefined;
  }
};

const readPs = (): ReadonlyArray<ProcessUsage> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,time=,comm="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+)$/.exec(line);
      if (match === null) return [];
      const [, pid, parent, time = "", command = ""] = match;
      const name = command.slice(command.lastIndexOf("/") + 1);
      return [{ pid: Number(pid), parent: Number(parent), name, cpuSeconds: psSeconds(time) }];
    });

/** `[days-][hours:]minutes:seconds[.hundredths]` */
const psSeconds = (time: string): number => {
  const [clock = "", days = "0"] = time.split("-").toReversed();
  return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400;
};
