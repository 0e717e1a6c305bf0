import { Effect, Option, Queue } from "effect";
import { transactionChangesMax } from "../domain/job-transaction.ts";
import { steadyMillis } from "../domain/steady-clock.ts";
import { directGet, type StoredMessage } from "./direct-get.ts";
import { type BucketState, type JobBucket, jobIdOf, jobsStream, jobSubjects } from "./job-bucket.ts";
import { decodeStoredJob, encodeJob } from "./job-codec.ts";
import type { StoredJobs } from "./stored-jobs.ts";

const sliceMessagesMax = 4_000;
const sliceBytesMax = 4_194_304;
const sliceMillisMax = 1_000;
/** After a hint the message may not be stored yet: asked again soon, then ever more slowly. */
const waitMillisMin = 5;
const waitMillisMax = 500;
const failureMillis = 250;
const describeMillis = 5_000;
/** A transaction whose end does not come within this time has none. */
const openMillisMax = 1_000;

/** The bucket as read so far, in sequence, from the store itself. */
export interface JobFeed {
  /** Every job's newest good revision. Changes under its reader. */
  readonly entries: StoredJobs;
  /** Everything up to this sequence is in `entries`. */
  readonly position: () => number;
  /** There is something new: look at once. Cheap, never waits. */
  readonly nudge: () => void;
  /** Whether `entries` say anything: the bucket was read to its end once, or they are of a snapshot. */
  readonly isKnown: () => boolean;
  /**
   * Whether the bucket has been read to its end since the start, or since it was last to be read again. Until then
   * `entries` may have a revision as the newest of its job that is older than what is served.
   */
  readonly isCaughtUp: () => boolean;
  /** Everything after this sequence is to be read again: what is served went back. */
  readonly rewind: (position: number) => void;
}

export interface JobFeedOptions {
  readonly entries: StoredJobs;
  /** Everything up to this sequence is in `entries` already. */
  readonly from: number;
  /** The bucket that `entries` are of, when they are served already. Undefined: there is nothing to begin with. */
  readonly known?: string | undefined;
  readonly jobsMax: number;
  /** Told at the first answer, and when the bucket is another one than it was, with the time at which it was made. */
  readonly onFound: (created: string, isReplaced: boolean) => void;
  /** Told after each slice. */
  readonly onSlice?: () => void;
}

interface State {
  readonly bucket: JobBucket;
  readonly options: JobFeedOptions;
  readonly entries: StoredJobs;
  readonly hints: Queue.Queue<void>;
  position: number;
  /** Undefined: there was no answer yet. */
  described: BucketState | undefined;
  describedMillis: number;
  isKnown: boolean;
  isCaughtUp: boolean;
  waitMillis: number;
  failing: boolean;
  /** When the end of a transaction was missed first. */
  openSinceMillis: number | undefined;
}

/**
 * Reads the whole bucket, then follows it for as long as the scope lives.
 *
 * Following is asking, every half second and after each hint (a plain subscription to the bucket's subjects): there is
 * no consumer that a server restart could take away and no message that could be missed. Without an answer the
 * entries stay as they are; without any so far, it goes on asking.
 */
export const makeJobFeed = Effect.fnUntraced(function* (bucket: JobBucket, options: JobFeedOptions) {
  const hints = yield* Queue.sliding<void>(1);
  const state: State = {
    bucket,
    options,
    entries: options.entries,
    hints,
    position: options.from,
    described: undefined,
    describedMillis: yield* steadyMillis,
    isKnown: options.known !== undefined,
    isCaughtUp: false,
    waitMillis: waitMillisMax,
    failing: false,
    openSinceMillis: undefined,
  };
  const nudge = () => {
    Queue.offerUnsafe(hints, undefined);
  };
  // Before the first read: nothing may be stored between the two without a hint.
  yield* Effect.acquireRelease(
    Effect.sync(() => bucket.connection.subscribe(jobSubjects, { callback: nudge })),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  );
  const readAll = Effect.gen(function* () {
    yield* beginAgainIfReplaced(state);
    while ((yield* readSlice(state)) > 0);
    state.isKnown = true;
    state.entries.trim();
  });
  yield* readAll.pipe(Effect.catch(({ detail }) => endure(state, detail)));
  yield* Effect.forkScoped(Effect.forever(follow(state)));
  const rewind = (position: number) => {
    if (position >= state.position) return;
    state.position = position;
    state.isCaughtUp = false;
    nudge();
  };
  const feed: JobFeed = {
    entries: state.entries,
    position: () => state.position,
    nudge,
    isKnown: () => state.isKnown,
    isCaughtUp: () => state.isCaughtUp,
    rewind,
  };
  return feed;
});

const follow = (state: State) =>
  // Of which bucket it is comes first: what another one holds behind a position says nothing.
  (state.described === undefined ? beginAgainIfReplaced(state) : Effect.void).pipe(
    Effect.andThen(readSlice(state)),
    Effect.tap(() => {
      if (!state.failing) return Effect.void;
      state.failing = false;
      return Effect.logInfo("Push jobs can be read again.");
    }),
    Effect.flatMap((messages) => (messages > 0 ? Effect.void : beIdle(state))),
    Effect.catch(({ detail }) => endure(state, detail)),
    // A connection that was closed for good throws. The last known set is served on.
    Effect.catchDefect((defect) => endure(state, String(defect))),
  );

/** One line per outage, not one per attempt. */
const endure = Effect.fnUntraced(function* (state: State, detail: string) {
  if (!state.failing) {
    state.failing = true;
    yield* Effect.logWarning("Push jobs cannot be read: the last known ones stay in force.", { detail });
  }
  yield* Effect.sleep(failureMillis);
});

const beIdle = Effect.fnUntraced(function* (state: State) {
  state.isKnown = true;
  const nowMillis = yield* steadyMillis;
  if (nowMillis - state.describedMillis >= describeMillis) {
    state.describedMillis = nowMillis;
    yield* beginAgainIfReplaced(state);
  }
  const hint = yield* Queue.take(state.hints).pipe(Effect.timeoutOption(state.waitMillis));
  state.waitMillis = Option.isSome(hint) ? waitMillisMin : Math.min(waitMillisMax, state.waitMillis * 2);
});

/** A bucket made anew, or one that lost its end, is read from its beginning. What it lacks is not thereby removed. */
const beginAgainIfReplaced = Effect.fnUntraced(function* (state: State) {
  const now = yield* state.bucket.describe;
  const before = state.described?.created ?? state.options.known ?? now.created;
  const isReplaced = now.created !== before || now.lastSequence < state.position;
  if (isReplaced || state.described === undefined) state.options.onFound(now.created, isReplaced);
  state.described = now;
  if (!isReplaced) return;
  yield* Effect.logError("The stored push jobs were replaced: read from their beginning, nothing is removed.", {
    stream: jobsStream,
    position: state.position,
    lastSequence: now.lastSequence,
  });
  state.position = 0;
  state.isCaughtUp = false;
  state.waitMillis = waitMillisMin;
});

/** @returns how many messages it read */
const readSlice = Effect.fnUntraced(function* (state: State) {
  const begun = state.position;
  const read = yield* readAfter(state, begun);
  const messages = yield* wholeTransactions(state, read);
  const last = messages.at(-1);
  if (last === undefined) {
    if (read.length === 0 && state.position === begun) state.isCaughtUp = true;
    return 0;
  }
  for (const [id, message] of newestOf(state, messages)) {
    // Not asked of an effect for each: there may be a million to read before the node can start.
    if (message.isRemoval === true) state.entries.delete(id, message.sequence);
    else if (!applyPlain(state, id, message)) yield* apply(state, id, message);
  }
  noteTransactions(state, messages);
  // Unless it was to go back meanwhile.
  if (state.position === begun) {
    state.position = last.sequence;
    if (isEnd(read)) state.isCaughtUp = true;
  }
  state.options.onSlice?.();
  return messages.length;
});

/** A slice that its bounds have cut off is longer: so much is no single job. */
const isEnd = (read: ReadonlyArray<StoredMessage>): boolean =>
  read.length < sliceMessagesMax && read.reduce((bytes, { data }) => bytes + data.length, 0) < sliceBytesMax / 2;

const readAfter = (state: State, sequence: number) =>
  directGet(state.bucket.connection, {
    stream: jobsStream,
    sequence: sequence + 1,
    messagesMax: sliceMessagesMax,
    bytesMax: sliceBytesMax,
    timeoutMillis: sliceMillisMax,
  });

/**
 * A transaction is taken in as a whole, so that no snapshot has a part of it: what the slice cuts off comes with the
 * next one, or, when it is larger than a slice, is read as well. If there is no more of it, it is being stored at this
 * moment, or the server died while it was: it is waited for, and after a second what there is counts.
 */
const wholeTransactions = Effect.fnUntraced(function* (state: State, slice: ReadonlyArray<StoredMessage>) {
  const whole = withoutOpenEnd(slice);
  if (whole.length > 0 || slice.length === 0) {
    state.openSinceMillis = undefined;
    return whole;
  }
  const messages = [...slice];
  while (messages.length <= transactionChangesMax) {
    const more = yield* readAfter(state, messages.at(-1)!.sequence);
    if (more.length === 0) break;
    for (const message of more) messages.push(message);
    const all = withoutOpenEnd(messages);
    if (all.length === 0) continue;
    state.openSinceMillis = undefined;
    return all;
  }
  const nowMillis = yield* steadyMillis;
  state.waitMillis = waitMillisMin;
  if (nowMillis - (state.openSinceMillis ??= nowMillis) < openMillisMax) return [];
  state.openSinceMillis = undefined;
  yield* Effect.logError("A transaction of push jobs has no end: what there is of it counts.", {
    position: state.position,
    messages: messages.length,
  });
  return messages;
});

/** By sequence, not by number: an old transaction may lack messages, whose jobs were changed often since. */
const withoutOpenEnd = (messages: ReadonlyArray<StoredMessage>): ReadonlyArray<StoredMessage> => {
  const last = messages.at(-1);
  const { openBatch: open = 0, sequence: end = 0 } = last ?? {};
  return open === 0 ? messages : messages.filter(({ sequence }) => sequence <= end - open);
};

/** Of a transaction the last message alone does not say so: it lies right behind one that does. */
const noteTransactions = ({ entries }: State, messages: ReadonlyArray<StoredMessage>): void => {
  let open: { readonly first: number; readonly ids: Array<string>; last: number } | undefined;
  const end = () => {
    if (open !== undefined && open.ids.length > 1) entries.wroteTogether(open.ids, open.first, open.last);
    open = undefined;
  };
  for (const { openBatch = 0, sequence, subject } of messages) {
    const first = sequence - openBatch + 1;
    if (openBatch > 0 && open?.first !== first) {
      end();
      open = { first, ids: [], last: sequence };
    }
    if (open === undefined) continue;
    if (openBatch > 0 || sequence === open.last + 1) {
      open.ids.push(jobIdOf(subject));
      open.last = sequence;
    }
    if (openBatch === 0) end();
  }
  end();
};

/**
 * Only the newest revision counts: each is decoded once, and a job that was changed often costs no more. Of one that
 * was removed meanwhile the removal counts as well: its id may be another customer's since.
 */
const newestOf = ({ entries }: State, messages: ReadonlyArray<StoredMessage>): ReadonlyMap<string, StoredMessage> => {
  const newest = new Map<string, StoredMessage>();
  for (const message of messages) {
    const id = jobIdOf(message.subject);
    if (newest.get(id)?.isRemoval === true) entries.delete(id, newest.get(id)!.sequence);
    newest.set(id, message);
  }
  return newest;
};

/** The common case: a job that decodes and has its place. */
const applyPlain = ({ entries, options }: State, id: string, { data, sequence }: StoredMessage): boolean => {
  const job = data.length === 0 ? undefined : decodeStoredJob(id, data);
  if (job === undefined || (!entries.has(id) && entries.size >= options.jobsMax)) return false;
  entries.put({ job, revision: sequence }, data);
  return true;
};

const apply = Effect.fnUntraced(function* (state: State, id: string, { data, sequence }: StoredMessage) {
  const { options } = state;
  if (decodeStoredJob(id, data) === undefined) return yield* keepLastGood(state, id, sequence);
  yield* Effect.logError("A push job over the limit is not served.", { job: id, jobsMax: options.jobsMax });
});

const keepLastGood = Effect.fnUntraced(function* ({ bucket, entries }: State, id: string, sequence: number) {
  const good = (yield* bucket.lastGoodBefore(id, sequence)) ?? entries.get(id);
  yield* Effect.logError("A stored push job does not decode: its last good revision stays in force.", {
    job: id,
    revision: sequence,
    ...(good === undefined ? { keeps: "none" } : { keeps: good.revision }),
  });
  if (good !== undefined && good.revision !== entries.get(id)?.revision) entries.put(good, encodeJob(good.job));
});
