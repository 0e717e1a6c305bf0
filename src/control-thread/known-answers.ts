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

/**
 * The last answers of the main thread by URL, bounded in number and bytes: what was asked last stays longest. A write
 * makes the answers of its own collection (`/v1/jobs`) unknown, so that nobody misses what he has just written.
 */
export class KnownAnswers {
  private readonly byUrl = new Map<string, KnownAnswer>();
  private readonly writes = new Map<string, number>();
  private readonly bytesMax: number;
  private bytes = 0;

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

  /** Of the URL's collection; an answer that was begun before a write must not be kept after it. */
  generation(url: string): number {
    return this.writes.get(collectionOf(url)) ?? 0;
  }

  /** Says whether it was kept. */
  keep(url: string, known: KnownAnswer, generation: number): boolean {
    if (generation !== this.generation(url)) return false;
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
    const collection = collectionOf(url);
    this.writes.set(collection, this.generation(url) + 1);
    for (const known of this.byUrl.keys()) if (collectionOf(known) === collection) this.forget(known);
  }

  private forget(url: string): void {
    const known = this.byUrl.get(url);
    if (known === undefined) return;
    this.byUrl.delete(url);
    this.bytes -= known.answer.body.byteLength;
  }
}

/** `/v1/jobs/acme?x=1` → `v1/jobs`. */
const collectionOf = (url: string): string => url.split(/[/?]/, 3).slice(1).join("/");
