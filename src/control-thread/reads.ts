import type { RoutedAnswer } from "../api/routed-request.ts";
import type { KnownAnswers } from "./known-answers.ts";
import type { MainLine } from "./main-line.ts";
import { patience } from "./patience.ts";

/** What a reader gets: the truth, what was the truth at `asOfMillis`, or nothing. */
export type Reply =
  | { readonly from: "main"; readonly answer: RoutedAnswer }
  | { readonly from: "known"; readonly answer: RoutedAnswer; readonly asOfMillis: number }
  | { readonly from: "busy"; readonly why: "stalled" | "crowded" };

interface Reader {
  readonly sinceMillis: number;
  readonly insists: boolean;
  readonly reply: (reply: Reply) => void;
}

/** One URL: what the main thread is asked now, for whom, and who came later and needs a younger answer. */
interface Flight {
  readonly id: number;
  readonly readers: Set<Reader>;
  readonly later: Set<Reader>;
}

/** How an answer of the main thread came about. */
export interface AnswerCourse {
  readonly tookMillis: number;
  readonly kept: boolean;
  /** A reader wanted it. */
  readonly asked: boolean;
}

export interface ReadsOptions {
  readonly line: MainLine;
  readonly known: KnownAnswers;
  readonly limits: { readonly controlAnswerMillisMax: number; readonly controlSilentMillisMax: number };
  readonly silentMillis: () => number;
  /** Monotonic. */
  readonly nowMillis: () => number;
  readonly wallMillis: () => number;
  readonly onAnswered?: (url: string, course: AnswerCourse) => void;
}

/**
 * Reads, answered by the main thread when it answers soon. It is asked for a URL once at a time, however many want it;
 * who comes while it is being asked waits for the next time, so that no answer is older than its question.
 */
export class Reads {
  private readonly flights = new Map<string, Flight>();
  private readonly options: ReadsOptions;

  constructor(options: ReadsOptions) {
    this.options = options;
  }

  /** Calls back once, unless it is abandoned by the function that is returned. */
  read(url: string, noCache: boolean, reply: (reply: Reply) => void): () => void {
    this.options.known.touch(url);
    const insists = noCache || isAudit(url);
    const reader: Reader = { sinceMillis: this.options.nowMillis(), insists, reply };
    const flight = this.flights.get(url);
    if (flight !== undefined) flight.later.add(reader);
    else if (!this.take(url, new Set([reader]))) reply({ from: "busy", why: "crowded" });
    return () => this.abandon(url, reader);
  }

  /** Asks without a reader, to know the answer; not when somebody asks anyway. */
  refresh(url: string): void {
    if (!this.flights.has(url)) this.take(url, new Set());
  }

  /** Regularly: looks whose patience has an end. */
  tick(): void {
    const now = this.options.nowMillis();
    const silentMillis = this.options.silentMillis();
    for (const [url, { later, readers }] of this.flights) {
      const known = this.options.known.get(url);
      for (const waiting of [readers, later]) {
        for (const reader of waiting) {
          const waitedMillis = now - reader.sinceMillis;
          const knownMillis = known === undefined ? undefined : now - known.keptMillis;
          const { insists } = reader;
          const verdict = patience({ waitedMillis, silentMillis, knownMillis, insists }, this.options.limits);
          if (verdict === "wait") continue;
          waiting.delete(reader);
          if (verdict === "known" && known !== undefined) {
            reader.reply({ from: "known", answer: known.answer, asOfMillis: known.asOfMillis });
          } else reader.reply({ from: "busy", why: "stalled" });
        }
      }
    }
  }

  private take(url: string, readers: Set<Reader>): boolean {
    const { known, line, nowMillis, wallMillis } = this.options;
    const asked = readers.size > 0;
    const begun = { asked, generation: known.generation(), nowMillis: nowMillis(), wallMillis: wallMillis() };
    const id = line.ask({ method: "GET", url, headers: {}, body: undefined }, (answer) => {
      const flight = this.flights.get(url);
      this.flights.delete(url);
      const fact = { answer, asOfMillis: begun.wallMillis, keptMillis: begun.nowMillis };
      const kept = isWorthKeeping(url, answer) && known.keep(url, fact, begun.generation);
      this.options.onAnswered?.(url, { tookMillis: nowMillis() - begun.nowMillis, kept, asked: begun.asked });
      for (const reader of readers) reader.reply({ from: "main", answer });
      if (flight === undefined || flight.later.size === 0 || this.take(url, flight.later)) return;
      for (const reader of flight.later) reader.reply({ from: "busy", why: "crowded" });
    });
    if (id === undefined) return false;
    this.flights.set(url, { id, readers, later: new Set() });
    return true;
  }

  private abandon(url: string, reader: Reader): void {
    const flight = this.flights.get(url);
    if (flight === undefined) return;
    flight.later.delete(reader);
    if (!flight.readers.delete(reader) || flight.readers.size > 0 || flight.later.size > 0) return;
    // An audit nobody waits for would go on reading the log.
    this.options.line.forget(flight.id);
    this.flights.delete(url);
  }
}

const isAudit = (url: string): boolean => /[?&]audit=true(&|$)/.test(url);

/** `/readyz` says 503 while a check fails, which is worth knowing too. */
const isWorthKeeping = (url: string, { status }: RoutedAnswer): boolean =>
  !isAudit(url) && (status === 200 || (status === 503 && url === "/readyz"));
