import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { orderOfObjectKey, type ReadBatches } from "./stored-batch.ts";

/** Batches of `file` destinations: every file below a customer's folder, but what a crash left half written. */
export const readFiles =
  (folder: string): ReadBatches =>
  async (customer) => {
    const names = await readdir(join(folder, customer), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const files = names.filter((name) => /(?:^|\/)[^./][^/]*\.log\.gz$/.test(name));
    return Promise.all(
      files.map(async (name) => ({
        name: join(customer, name),
        order: orderOfObjectKey(name),
        gzip: await readFile(join(folder, customer, name)),
      })),
    );
  };
