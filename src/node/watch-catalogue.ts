import { Effect, Result } from "effect";
import { loadCatalogue } from "../control/catalogue.ts";
import type { CurrentCatalogue } from "../control/rollout/control-options.ts";
import type { Dataset } from "../domain/dataset.ts";
import { encodeCatalogue } from "../snapshot/catalogue.ts";
import { encodeBlob } from "../snapshot/segment.ts";

/** How often the files are read again: a handful, a few KB each. */
const lookMillis = 1_000;

/**
 * The catalogue of datasets as the files of this node have it, for a control process to make configurations with: what
 * somebody puts there is proposed like any other change. What cannot be read changes nothing.
 */
export const watchCatalogue = Effect.fnUntraced(function* (
  directory: string | undefined,
  first: ReadonlyArray<Dataset>,
) {
  let current = catalogueOf(first);
  let problem: string | undefined;
  const look = Effect.gen(function* () {
    const loaded = yield* Effect.result(loadCatalogue(directory));
    if (Result.isFailure(loaded)) {
      const { message } = loaded.failure;
      if (message !== problem) yield* Effect.logError("The catalogue of datasets stays as it is.", { message });
      problem = message;
      return;
    }
    problem = undefined;
    const next = catalogueOf(loaded.success.all);
    if (next.hash === current.hash) return;
    current = next;
    yield* Effect.logInfo("The files of the catalogue of datasets have changed.", {
      datasets: loaded.success.all.length,
    });
  });
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookMillis), look)));
  return (): CurrentCatalogue => current;
});

const catalogueOf = (datasets: Iterable<Dataset>): CurrentCatalogue => {
  const content = encodeCatalogue(datasets);
  return { content, hash: encodeBlob(content).hash };
};
