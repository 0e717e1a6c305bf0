import { type IdPage, idPageOf } from "../domain/id-page.ts";
import { mergedIds } from "../domain/merged-ids.ts";
import type { PushJob, StoredJob } from "../domain/push-job.ts";

/** The feed's entries with this node's own writes in front, until the feed has read them. */
export interface JobView {
  readonly get: (id: string) => StoredJob | undefined;
  /** By id. */
  readonly page: (after: string | undefined, limit: number) => IdPage<StoredJob>;
  readonly count: () => number;
  /** A write of ours that the store acknowledged; `job` undefined: it was removed. */
  readonly wrote: (id: string, revision: number, job: PushJob | undefined) => void;
}

/** What a view needs of the feed. */
export interface ReadJobs {
  readonly entries: Pick<ReadonlyMap<string, StoredJob>, "get" | "has" | "size"> & {
    /** In order. */
    readonly idsAfter: (after: string | undefined) => Iterable<string>;
  };
  readonly position: () => number;
  readonly nudge: () => void;
}

const forgetSizeMin = 64;

export const makeJobView = (feed: ReadJobs): JobView => {
  const ahead = new Map<string, { readonly revision: number; readonly job: PushJob | undefined }>();
  let forgetAt = forgetSizeMin;
  const forgetWhatIsRead = () => {
    for (const [id, { revision }] of ahead) if (revision <= feed.position()) ahead.delete(id);
    forgetAt = Math.max(forgetSizeMin, 2 * ahead.size);
  };
  const get = (id: string): StoredJob | undefined => {
    const own = ahead.get(id);
    if (own === undefined || own.revision <= feed.position()) return feed.entries.get(id);
    return own.job === undefined ? undefined : { job: own.job, revision: own.revision };
  };
  function* jobsAfter(after: string | undefined): Generator<readonly [string, StoredJob]> {
    const own = [...ahead.keys()].filter((id) => after === undefined || id > after).toSorted();
    for (const [id] of mergedIds([feed.entries.idsAfter(after), own])) {
      const stored = get(id);
      if (stored !== undefined) yield [id, stored];
    }
  }
  return {
    get,
    page: (after, limit) => {
      forgetWhatIsRead();
      return idPageOf(jobsAfter(after), limit);
    },
    count: () => {
      forgetWhatIsRead();
      let count = feed.entries.size;
      for (const [id, { job }] of ahead) count += Number(job !== undefined) - Number(feed.entries.has(id));
      return count;
    },
    wrote: (id, revision, job) => {
      // Not each time: a thousand writes of a transaction would look at a thousand writes each.
      if (ahead.size >= forgetAt) forgetWhatIsRead();
      ahead.set(id, { revision, job });
      feed.nudge();
    },
  };
};
