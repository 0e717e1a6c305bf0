import { Effect } from "effect";
import type { Dice } from "./dice.ts";

/** One run of one owner process. What it does after its death changes nothing, as after `kill -9`. */
export class Life {
  readonly name: string;
  /** Faults are drawn only while this is set; a last life without them must bring everything to its end. */
  faulty: boolean;
  isDead = false;
  /** Its checkpoints do not arrive. */
  isCutOff = false;

  constructor(name: string, faulty: boolean) {
    this.name = name;
    this.faulty = faulty;
  }

  /** From now on nothing happens to it any more. */
  recover(): void {
    this.faulty = false;
    this.isCutOff = false;
  }

  unlessFaulty<E>(dice: Dice, probability: number, error: E): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      if (this.isDead) return Effect.never;
      return this.faulty && dice.chance(probability) ? Effect.fail(error) : Effect.void;
    });
  }
}
