import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The demo's directory, new and empty. */
export interface Workspace extends AsyncDisposable {
  readonly directory: string;
  readonly files: string;
  readonly posts: string;
  readonly objects: string;
  readonly jobsFile: string;
  /** Whether it is still there afterwards. */
  readonly stays: boolean;
}

export const openWorkspace = async (options: {
  readonly out: string | undefined;
  readonly keep: boolean;
}): Promise<Workspace> => {
  const stays = options.keep || options.out !== undefined;
  const directory = options.out === undefined ? await mkdtemp(join(tmpdir(), "spillway-demo-")) : resolve(options.out);
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new Error(`${directory} is not empty: give --out a new directory`);
  const [files, posts, objects] = ["files", "posts", "objects"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [files, posts, objects]) await mkdir(folder);
  return {
    directory,
    files,
    posts,
    objects,
    jobsFile: join(directory, "jobs.json"),
    stays,
    [Symbol.asyncDispose]: async () => {
      if (!stays) await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
};
