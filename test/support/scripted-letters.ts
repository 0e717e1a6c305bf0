import { Effect, Layer } from "effect";
import { DeadLetterWriter, type LetterSource } from "../../src/actors/buffer/dead-letter-writer.ts";
import { DeadLettersFull } from "../../src/actors/ports/dead-letters.ts";
import type { Tally } from "../../src/domain/books.ts";

/** Keeps nothing: for tests in which no record is refused. */
export const layerNoLetters = Layer.succeed(DeadLetterWriter, {
  write: () => Effect.fail(new DeadLettersFull({ detail: "no dead letters in this test" })),
});

/** Dead letters as a function of the test. */
export const layerLetters = (write: (source: LetterSource) => Effect.Effect<Tally, DeadLettersFull>) =>
  Layer.succeed(DeadLetterWriter, { write });
