import { Effect, Layer } from "effect";
import type { LetterReplay, LetterSummary, ShownLetter } from "../../src/api/dead-letter-reports.ts";
import { DeadLettersAdmin, type LetterId, LetterNotFound } from "../../src/api/dead-letters-port.ts";

/** Dead letters in memory, in the order in which they were put. */
export class FakeDeadLetters {
  letters: Array<ShownLetter> = [];
  /** What the destination answers to a replay; undefined: it takes it. */
  refusal: string | undefined;
  /** Letters in one page of replays. */
  pageSize = 100;

  put(job: string, sequence: number, over: Partial<ShownLetter> = {}): void {
    const record = `{"n":${sequence}}`;
    this.letters.push({
      job,
      customer: "acme",
      dataset: "http_requests",
      sequence,
      index: 0,
      incarnation: "2026-11-23T07:00:00Z",
      reason: "data",
      detail: "sink.example answered 422 Unprocessable Entity",
      status: 422,
      millis: 1_700_000_000_000,
      bytes: record.length,
      record,
      ...over,
    });
  }

  private find(id: LetterId): Effect.Effect<ShownLetter, LetterNotFound> {
    return Effect.suspend(() => {
      const found = this.letters.find((letter) => isOf(letter, id));
      const detail = `There is no dead letter ${id.job}/${id.sequence}/${id.index}.`;
      return found === undefined ? Effect.fail(new LetterNotFound({ detail })) : Effect.succeed(found);
    });
  }

  private remove(id: LetterId): void {
    this.letters = this.letters.filter((letter) => !isOf(letter, id));
  }

  private replay(letter: ShownLetter): LetterReplay {
    const { index, job, sequence } = letter;
    if (this.refusal !== undefined) return { job, sequence, index, result: "kept", detail: this.refusal };
    this.remove(letter);
    return { job, sequence, index, result: "delivered", detail: "" };
  }

  readonly layer = Layer.succeed(DeadLettersAdmin, {
    list: ({ after = 0, customer, job, limit = 100 }) =>
      Effect.sync(() => {
        const all = this.letters.filter(
          (letter) =>
            letter.sequence > after &&
            (job === undefined || letter.job === job) &&
            (customer === undefined || letter.customer === customer),
        );
        const letters = all.slice(0, limit).map(summaryOf);
        return all.length > limit ? { letters, next: letters.at(-1)!.sequence } : { letters };
      }),
    get: (id) => this.find(id),
    drop: (id) => Effect.map(this.find(id), (letter) => this.remove(letter)),
    dropAll: (job) =>
      Effect.sync(() => {
        const before = this.letters.length;
        this.letters = this.letters.filter((letter) => letter.job !== job);
        return before - this.letters.length;
      }),
    replay: (id) => Effect.map(this.find(id), (letter) => this.replay(letter)),
    replayAll: (job, after = 0) =>
      Effect.sync(() => {
        const all = this.letters.filter((letter) => letter.job === job && letter.sequence > after);
        const page = all.slice(0, this.pageSize);
        const replays = page.map((letter) => this.replay(letter));
        return all.length > page.length ? { replays, next: page.at(-1)!.sequence } : { replays };
      }),
  });
}

const summaryOf = (letter: ShownLetter): LetterSummary => {
  const { record: _record, ...summary } = letter;
  return summary;
};

const isOf = (letter: ShownLetter, { index, job, sequence }: LetterId): boolean =>
  letter.job === job && letter.sequence === sequence && letter.index === index;
