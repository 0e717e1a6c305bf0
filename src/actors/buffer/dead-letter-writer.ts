import { Context, type Effect } from "effect";
import type { Tally } from "../../domain/books.ts";
import type { DeadLetterInput } from "../../domain/push-attempt.ts";
import type { DeadLettersFull } from "../ports/dead-letters.ts";

/** What a dead letter is taken from. */
export interface LetterSource extends DeadLetterInput {
  readonly customer: string;
  readonly dataset: string;
  readonly partition: number;
  readonly incarnation: string;
  readonly isDuplicate: (sequence: number) => boolean;
}

/** Finds a refused record in the log and stores it as a dead letter. */
export class DeadLetterWriter extends Context.Service<
  DeadLetterWriter,
  {
    /** Goes on until the letter is durable. Answers what the record was: one record and its bytes. */
    readonly write: (source: LetterSource) => Effect.Effect<Tally, DeadLettersFull>;
  }
>()("spillway/actors/buffer/DeadLetterWriter") {}
