import { Effect } from "effect";
import { pairKey } from "../../src/domain/partition.ts";
import { layerLetters } from "../support/scripted-letters.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import { poisonMark, type ScriptedLog } from "./scripted-log.ts";
import type { ScriptedStore } from "./scripted-store.ts";

/** Dead letters of a simulated world, by job and record: the first write wins. Only what is poisoned may become one. */
export const layerPoisonLetters = (
  world: {
    readonly dice: Dice;
    readonly log: Pick<ScriptedLog, "referenceFor">;
    readonly letters: Map<string, string>;
    readonly store: ScriptedStore;
  },
  life: Life,
) =>
  layerLetters(
    Effect.fnUntraced(function* ({ batch: { first, last }, customer, dataset, index, job }) {
      yield* Effect.sleep(world.dice.int(0, 80));
      if (life.isDead) return yield* Effect.never;
      const lines = world.log
        .referenceFor(pairKey(customer, dataset), 0)
        .own.filter(({ sequence }) => sequence >= first && sequence <= last)
        .flatMap(({ raw }) =>
          Buffer.from(raw)
            .toString()
            .split(/(?<=\n)/),
        );
      const record = lines[index] ?? "";
      if (!record.includes(poisonMark)) world.store.violations.push(`${job}: ${record} is no dead letter`);
      world.letters.set(`${job} ${record}`, record);
      // Whoever dies here has stored it and does not know it.
      yield* Effect.sleep(world.dice.int(0, 80));
      return { records: 1, bytes: record.length };
    }),
  );
