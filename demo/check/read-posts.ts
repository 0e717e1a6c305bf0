import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type PostFile, parsePostFileName } from "./post-file-name.ts";
import { orderOfBatchId, type ReadBatches, type StoredBatch } from "./stored-batch.ts";

/** What the receiver saw beyond one good request per batch. */
export interface PostCounts {
  /** Requests that brought a batch again under its id, which a receiver drops by the Idempotency-Key. */
  repeated: number;
  /** Of those, the ones that brought other records under the same id: never allowed. */
  conflicting: number;
}

/** Batches of `http` destinations as the receiver stored them, one per Idempotency-Key. */
export const readPosts =
  (folder: string, counts: PostCounts): ReadBatches =>
  async (customer) => {
    const names = await readdir(join(folder, customer)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const posts = names.flatMap((name): ReadonlyArray<PostCopy> => {
      const post = parsePostFileName(name);
      return post === undefined ? [] : [{ ...post, path: join(folder, customer, name) }];
    });
    const byKey = Map.groupBy(
      posts.toSorted((one, other) => one.arrival - other.arrival),
      ({ key }) => key,
    );
    return Promise.all([...byKey.values()].map((copies) => firstCopy(copies, counts)));
  };

interface PostCopy extends PostFile {
  readonly path: string;
}

const firstCopy = async (copies: ReadonlyArray<PostCopy>, counts: PostCounts): Promise<StoredBatch> => {
  const [first, ...again] = copies as [PostCopy, ...Array<PostCopy>];
  const gzip = await readFile(first.path);
  for (const copy of again) {
    counts.repeated += 1;
    if (!sameRecords(gzip, await readFile(copy.path))) counts.conflicting += 1;
  }
  return { name: first.path, order: orderOfBatchId(first.key), gzip };
};

const sameRecords = (one: Buffer, other: Buffer): boolean =>
  one.equals(other) || gunzipSync(one).equals(gunzipSync(other));
