import { pathOf } from "../api/access.ts";
import type { RoutedAnswer } from "../api/routed-request.ts";

/** An answer of the main thread, and when it began to give it. */
export interface KnownAnswer {
  readonly answer: RoutedAnswer;
  /** By the wall clock, for people. */
  readonly asOfMillis: number;
  /** By the monotonic clock, for ages. */
  readonly keptMillis: number;
}

const urlsMax = 256;

/** Writes that are remembered, to judge answers that were begun before them. */
const writesMax = 1_024;

/**
 * The last answers of the main thread by URL, bounded in number and bytes: what was asked last stays longest. A write
 * makes the answers unknown that it concerns (its own path, what is above and what is below it), so that nobody misses
 * what he has just written.
 */
export class KnownAnswers {
  private readonly byUrl = new Map<string, KnownAnswer>();
  private readonly bytesMax: number;
  private bytes = 0;
  /** Paths, the latest last; `writes` counts all there ever were. */
  private readonly latestWrites: Array<string> = [];
  private writes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get(url: string): KnownAnswer | undefined {
    return this.byUrl.get(url);
  }

  /** Somebody asked for it: it is the last to go. */
  touch(url: string): void {
    const known = this.byUrl.get(url);
    if (known === undefined) return;
    this.byUrl.delete(url);
    this.byUrl.set(url, known);
  }

  /** To be noted when a question is asked. */
  generation(): number {
    return this.writes;
  }

  /**
   * Says whether it was kept: not when it is too large, or may lack a write.
   *
   * @param generation when the question was asked
   */
  keep(url: string, known: KnownAnswer, generation: number): boolean {
    const since = this.writes - generation;
    if (since > this.latestWrites.length) return false;
    const path = pathOf(url);
    if (since > 0 && this.latestWrites.slice(-since).some((written) => concerns(written, path))) return false;
    this.forget(url);
    const size = known.answer.body.byteLength;
    if (size > this.bytesMax / 4) return false;
    this.byUrl.set(url, known);
    this.bytes += size;
    for (const [oldest] of this.byUrl) {
      if (this.byUrl.size <= urlsMax && this.bytes <= this.bytesMax) break;
      this.forget(oldest);
    }
    return true;
  }

  /** After each write to something that exists, whatever became of it. */
  written(url: string): void {
    const path = changedBy(pathOf(url));
    this.writes += 1;
    this.latestWrites.push(path);
    if (this.latestWrites.length > writesMax) this.latestWrites.splice(0, writesMax / 2);
    for (const known of this.byUrl.keys()) if (concerns(path, pathOf(known))) this.forget(known);
  }

  private forget(url: string): void {
    const known = this.byUrl.get(url);
    if (known === undefined) return;
    this.byUrl.delete(url);
    this.bytes -= known.answer.body.byteLength;
  }
}

/**
 * A transaction changes any push jobs, not what lies below its own path; a command to the control process, what all its
 * reads say.
 */
const changedBy = (path: string): string => {
  if (path === "/v1/jobs/transactions") return "/v1/jobs";
  return path.startsWith("/v1/config/") ? "/v1/config" : path;
};

const concerns = (written: string, path: string): boolean =>
  written === path || written.startsWith(`${path}/`) || path.startsWith(`${written}/`);
