import type { AnswerCourse, Reads } from "./reads.ts";

interface Course {
  nextMillis: number;
  askedMillis: number;
}

/** Known from the start, because somebody will ask for them just when the main thread cannot answer. */
const alwaysKnown = ["/readyz", "/v1/limits", "/v1/version", "/openapi.json"];
const spacingMillisMin = 500;
const spacingMillisMax = 60_000;
/** A refresh is followed by 19 times as long without: it takes a twentieth of the main thread's time at most. */
const spacingFactor = 20;
const askedMillisMax = 60_000;
const urlsMax = 32;

/** Whoever reads a list to its end comes by once: to ask for all its pages again would be more work than he was. */
const isLaterPage = (url: string): boolean => /[?&]after=/.test(url);

/** Keeps the answers young that somebody asked for lately: what is read every ten seconds is not ten seconds old. */
export class Refreshing {
  private readonly courses = new Map<string, Course>();
  private readonly reads: Pick<Reads, "refresh">;

  constructor(reads: Pick<Reads, "refresh">) {
    this.reads = reads;
    for (const url of alwaysKnown) this.courses.set(url, { nextMillis: 0, askedMillis: Number.POSITIVE_INFINITY });
  }

  /** Somebody reads it. */
  asked(url: string, nowMillis: number): void {
    const course = this.courses.get(url);
    if (course !== undefined) course.askedMillis = Math.max(course.askedMillis, nowMillis);
  }

  answered(url: string, { asked, kept, tookMillis }: AnswerCourse, nowMillis: number): void {
    const spacingMillis = Math.min(spacingMillisMax, Math.max(spacingMillisMin, tookMillis * spacingFactor));
    const nextMillis = nowMillis + spacingMillis;
    const course = this.courses.get(url);
    if (course !== undefined) {
      // What is too large to keep is not asked for by ourselves.
      if (kept || alwaysKnown.includes(url)) course.nextMillis = nextMillis;
      else this.courses.delete(url);
    } else if (kept && asked && this.courses.size < urlsMax && !isLaterPage(url))
      this.courses.set(url, { nextMillis, askedMillis: nowMillis });
  }

  tick(nowMillis: number): void {
    for (const [url, course] of this.courses) {
      if (nowMillis - course.askedMillis > askedMillisMax) this.courses.delete(url);
      else if (nowMillis >= course.nextMillis) {
        course.nextMillis = nowMillis + spacingMillisMin;
        this.reads.refresh(url);
      }
    }
  }
}
