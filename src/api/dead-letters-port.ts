import { Context, type Effect, Schema } from "effect";
import type { LetterPageReport, LetterReplay, LettersReplay, ShownLetter } from "./dead-letter-reports.ts";
import type { ApiUnavailable } from "./ports.ts";

export class LetterNotFound extends Schema.TaggedError<LetterNotFound>()("LetterNotFound", {
  /** For people: which letter, or which job, is not there. */
  detail: Schema.String,
}) {}

export interface LetterId {
  readonly job: string;
  readonly sequence: number;
  readonly index: number;
}

/** Dead letters as the API serves them. */
export class DeadLettersAdmin extends Context.Service<
  DeadLettersAdmin,
  {
    readonly list: (query: {
      readonly job?: string | undefined;
      readonly customer?: string | undefined;
      readonly after?: number | undefined;
      readonly limit?: number | undefined;
    }) => Effect.Effect<LetterPageReport, ApiUnavailable>;
    readonly get: (id: LetterId) => Effect.Effect<ShownLetter, LetterNotFound | ApiUnavailable>;
    readonly drop: (id: LetterId) => Effect.Effect<void, LetterNotFound | ApiUnavailable>;
    /** All letters of a job; answers how many there were. */
    readonly dropAll: (job: string) => Effect.Effect<number, ApiUnavailable>;
    /** Pushes the record to the job's destination as it is now, and removes the letter when that takes it. */
    readonly replay: (id: LetterId) => Effect.Effect<LetterReplay, LetterNotFound | ApiUnavailable>;
    /** The same, one after the other, for a page of a job's letters; stops when the destination takes nothing. */
    readonly replayAll: (
      job: string,
      after: number | undefined,
    ) => Effect.Effect<LettersReplay, LetterNotFound | ApiUnavailable>;
  }
>()("spillway/api/DeadLettersAdmin") {}
