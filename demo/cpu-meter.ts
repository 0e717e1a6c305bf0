import { usageOf } from "./process-usage.ts";

/**
 * CPU time of Spillway and its nats-server from a beginning on, over restarts: a process that is gone counts with
 * what was
 * last read from it.
 */
export class CpuMeter {
  /** By process id and role; ids are not used again within a demo. */
  readonly #latest = new Map<string, number>();
  readonly #atStart = new Map<string, number>();

  /** Reads both once; the first reading of a process that runs at the beginning is where it counts from. */
  read(pid: number, beginning = false): void {
    for (const usage of Object.values(usageOf(pid))) {
      const key = `${usage.name}:${usage.pid}`;
      this.#latest.set(key, usage.cpuSeconds);
      if (beginning) this.#atStart.set(key, usage.cpuSeconds);
    }
  }

  seconds(): number {
    return [...this.#latest].reduce((sum, [key, seconds]) => sum + seconds - (this.#atStart.get(key) ?? 0), 0);
  }
}
