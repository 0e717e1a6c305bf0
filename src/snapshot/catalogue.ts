import { Result, Schema } from "effect";
import { Dataset } from "../domain/dataset.ts";
import { decodeBlob } from "./segment.ts";
import type { Snapshot } from "./snapshot.ts";

/** What is known of datasets beyond their names, by name. */
export type Datasets = ReadonlyMap<string, Dataset>;

const List = Schema.Array(Dataset);

/** The same datasets make the same bytes. */
export const encodeCatalogue = (datasets: Iterable<Dataset>): Uint8Array =>
  Buffer.from(JSON.stringify([...datasets].toSorted((a, b) => (a.name < b.name ? -1 : 1))));

/** The catalogue that a snapshot was made with. A failure's text is for people. */
export const datasetsOf = ({
  blob,
  manifest: { catalogue },
}: Pick<Snapshot, "blob" | "manifest">): Result.Result<Datasets, string> => {
  const stored = blob(catalogue.hash);
  if (stored === undefined) return Result.fail("the catalogue of datasets is missing");
  const content = decodeBlob(stored, catalogue);
  if (Result.isFailure(content)) return Result.fail(`the catalogue of datasets: ${content.failure.message}`);
  const list = parsed(content.success);
  if (!Schema.is(List)(list)) return Result.fail("the catalogue of datasets holds something else than datasets");
  return Result.succeed(new Map(list.map((dataset) => [dataset.name, dataset])));
};

const parsed = (content: Buffer): unknown => {
  try {
    return JSON.parse(content.toString());
  } catch {
    return undefined;
  }
};

/** What a dataset's records are read by: without it, or by another one, they are somebody else's or nobody's. */
export const readsAlike = (before: Dataset, after: Dataset | undefined): boolean =>
  after !== undefined && before.customerField === after.customerField && before.timestampField === after.timestampField;
