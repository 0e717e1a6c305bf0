import { Result } from "effect";
import type { Dataset } from "../domain/dataset.ts";
import type { ConfigServing } from "../serving/config-serving.ts";
import { type Datasets, datasetsOf } from "../snapshot/catalogue.ts";

/** The catalogue of datasets as it is in force on this node: part of the configuration, however files differ. */
export interface ServedDatasets {
  /** Asked once for each request. */
  readonly get: (name: string) => Dataset | undefined;
  readonly all: () => ReadonlyArray<Dataset>;
  /** Of the snapshot that it is part of; 0: there is none. */
  readonly number: () => number;
}

const none: Datasets = new Map();

export const servedDatasets = (serving: Pick<ConfigServing, "current">): ServedDatasets => {
  let hash: string | undefined;
  let datasets = none;
  const now = (): Datasets => {
    const current = serving.current();
    if (current?.manifest.catalogue.hash === hash) return datasets;
    hash = current?.manifest.catalogue.hash;
    // Both gates have read it.
    datasets = current === undefined ? none : Result.getOrElse(datasetsOf(current), () => none);
    return datasets;
  };
  return {
    get: (name) => now().get(name),
    all: () => [...now().values()],
    number: () => serving.current()?.manifest.number ?? 0,
  };
};
