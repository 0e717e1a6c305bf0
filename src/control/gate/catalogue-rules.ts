import { Result } from "effect";
import type { CatalogueChanges, GateRefusal } from "../../domain/blast-radius.ts";
import type { Manifest } from "../../snapshot/manifest.ts";
import { type Datasets, datasetsOf, readsAlike } from "../../snapshot/catalogue.ts";
import type { Snapshot } from "../../snapshot/snapshot.ts";

/** The catalogues of what is in force and of what would be. */
export interface Catalogues {
  /** Empty before there ever was one, and where it cannot be read. */
  readonly before: Datasets;
  readonly after: Result.Result<Datasets, string>;
}

export const cataloguesOf = (previous: Snapshot | undefined, next: Snapshot): Catalogues => ({
  before: previous === undefined ? new Map() : Result.getOrElse(datasetsOf(previous), () => new Map()),
  after: datasetsOf(next),
});

export const catalogueChanges = ({ after, before }: Catalogues): CatalogueChanges => {
  const now = Result.getOrElse(after, (): Datasets => new Map());
  const isOther = (name: string) => JSON.stringify(before.get(name)) !== JSON.stringify(now.get(name));
  return {
    added: [...now.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !now.has(name)),
    changed: [...before.keys()].filter((name) => now.has(name) && isOther(name)),
  };
};

/** Adding a dataset began the incident of 14 November 2024: what says how records are read is judged as jobs are. */
export const catalogueRules = (
  { after, before }: Catalogues,
  next: Pick<Manifest, "datasets" | "rollbackOf">,
): ReadonlyArray<GateRefusal> => {
  if (Result.isFailure(after)) {
    const remedy = "Generate it again. What is in force stays in force.";
    return [{ rule: "catalogueDamaged", message: `${after.failure}.`, remedy, jobs: [], acceptable: false }];
  }
  // What it goes back to has passed once.
  if (next.rollbackOf !== undefined) return [];
  const inUse = [...before.values()].filter(({ name }) => (next.datasets[name]?.enabled ?? 0) > 0);
  return inUse
    .filter((dataset) => !readsAlike(dataset, after.success.get(dataset.name)))
    .map(({ name }) => ({
      rule: "datasetInUse",
      message:
        `${next.datasets[name]!.enabled} enabled jobs deliver ${name}, and ` +
        (after.success.has(name)
          ? "the field that names its customers or its time would be another one."
          : "it would be gone from the catalogue."),
      remedy:
        "Put config/datasets back as it was; or, if all who send it send it so from now on: accept exactly this " +
        "snapshot. What is in force stays in force.",
      jobs: [],
      acceptable: true,
    }));
};
