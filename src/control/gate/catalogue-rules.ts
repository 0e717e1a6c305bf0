import { Result } from "effect";
import type { CatalogueChanges, GateRefusal } from "../../domain/blast-radius.ts";
import { type Dataset, unknownFieldsOf } from "../../domain/dataset.ts";
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

export const catalogueChanges = ({ after, before }: Catalogues, next: Pick<Manifest, "datasets">): CatalogueChanges => {
  const now = Result.getOrElse(after, (): Datasets => new Map());
  const changed = [...before.keys()].filter((name) => now.has(name) && isOther(before.get(name), now.get(name)));
  const fieldsGone = changed.flatMap((name) => {
    const enabled = next.datasets[name]?.enabled ?? 0;
    const fields = fieldsLost(before.get(name)!, now.get(name)!);
    return enabled === 0 || fields.length === 0 ? [] : [{ dataset: name, enabled, fields }];
  });
  return {
    added: [...now.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !now.has(name)),
    changed,
    ...(fieldsGone.length === 0 ? {} : { fieldsGone }),
  };
};

const isOther = (before: Dataset | undefined, after: Dataset | undefined): boolean =>
  JSON.stringify(before) !== JSON.stringify(after);

const fieldsLost = (before: Dataset, after: Dataset): ReadonlyArray<string> =>
  Object.keys(before.fields).filter((field) => !Object.hasOwn(after.fields, field));

/** Adding a dataset began the incident of 14 November 2024: what says how records are read is judged as jobs are. */
export const catalogueRules = (
  catalogues: Catalogues,
  next: Pick<Manifest, "datasets" | "rollbackOf">,
): ReadonlyArray<GateRefusal> => {
  const { after, before } = catalogues;
  if (Result.isFailure(after)) {
    const remedy = "Generate it again. What is in force stays in force.";
    return [{ rule: "catalogueDamaged", message: `${after.failure}.`, remedy, jobs: [], acceptable: false }];
  }
  return [...readsUnknown(after.success, before, next), ...readsOtherwise(after.success, before, next)];
};

/** Files are checked when they are read: only a fault, or an earlier version, makes one of these. */
const readsUnknown = (
  after: Datasets,
  before: Datasets,
  { rollbackOf }: Pick<Manifest, "rollbackOf">,
): ReadonlyArray<GateRefusal> =>
  [...after.values()]
    // What is in force already must not keep jobs from changing.
    .filter((dataset) => isOther(before.get(dataset.name), dataset))
    .flatMap((dataset) =>
      unknownFieldsOf(dataset).map(({ field, key }) => ({
        rule: "unknownField",
        message: `${dataset.name} would be read by ${field} (its ${key}), which is none of its fields.`,
        remedy: "Correct config/datasets. What is in force stays in force.",
        jobs: [],
        // An earlier version may have served it: somebody has to be able to go back there.
        acceptable: rollbackOf !== undefined,
      })),
    );

/** Going back to how records were read is as much of a change as going forth: senders may have changed since. */
const readsOtherwise = (
  after: Datasets,
  before: Datasets,
  { datasets }: Pick<Manifest, "datasets">,
): ReadonlyArray<GateRefusal> =>
  [...before.values()]
    .filter(({ name }) => (datasets[name]?.enabled ?? 0) > 0)
    .filter((dataset) => !readsAlike(dataset, after.get(dataset.name)))
    .map(({ name }) => ({
      rule: "datasetInUse",
      message:
        `${datasets[name]!.enabled} enabled jobs deliver ${name}, and ` +
        (after.has(name)
          ? "the field that names its customers or its time would be another one."
          : "it would be gone from the catalogue."),
      remedy:
        "Put config/datasets back as it was; or, if all who send it send it so from now on: accept exactly this " +
        "snapshot. What is in force stays in force.",
      jobs: [],
      acceptable: true,
    }));
