import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../../support/remove-tree.ts";

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Its name has what names can have: a path that is put into a configuration or a command unquoted breaks there. */
export const makeTemporaryDirectory = async (): Promise<TemporaryDirectory> => {
  const path = await mkdtemp(join(tmpdir(), `spill way "it's" $x `));
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
};
