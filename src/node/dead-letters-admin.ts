import { Clock, Effect, Semaphore } from "effect";
import { replayLetter, type LetterOutcome } from "../actors/replay/replay-letter.ts";
import { DeadLetters, type DeadLettersUnavailable, type StoredLetter } from "../actors/ports/dead-letters.ts";
import { Destinations } from "../actors/ports/destinations.ts";
import { Jobs } from "../actors/ports/jobs.ts";
import type { LetterReplay, LetterSummary } from "../api/dead-letter-reports.ts";
import { DeadLettersAdmin, type LetterId, LetterNotFound } from "../api/dead-letters-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import { isId } from "../domain/ids.ts";

/** Letters in a page when nobody says how many, and letters pushed again by one request. */
const pageLetters = 100;
/** One request pushes for about so long, then says where to go on. */
const replayMillisMax = 15_000;

/** Dead letters for the API: plain JSON on the way out, ids checked on the way in. */
export const makeDeadLettersAdmin = Effect.fnUntraced(function* (options: { readonly replaysMax: number }) {
  const letters = yield* DeadLetters;
  const jobs = yield* Jobs;
  const destinations = yield* Destinations;
  const lane = yield* Semaphore.make(options.replaysMax);

  const find = Effect.fnUntraced(function* (id: LetterId) {
    // Subject filters are made of what is asked for: only an id may become a part of one.
    const found = isId(id.job)
      ? yield* letters.get(id.job, id.sequence, id.index).pipe(Effect.mapError(unavailable))
      : undefined;
    return found ?? (yield* new LetterNotFound({ detail: `There is no dead letter ${nameOf(id)}.` }));
  });

  const jobOf = (id: string) =>
    Effect.suspend(() => {
      const stored = jobs.served().byId.get(id);
      return stored === undefined
        ? Effect.fail(new LetterNotFound({ detail: `There is no push job "${id}" to replay to.` }))
        : Effect.succeed(stored.job);
    });

  /** Removed only when it was delivered: a crash in between pushes it again, under the same id. */
  const again = Effect.fnUntraced(function* (stored: StoredLetter) {
    const job = yield* jobOf(stored.letter.job);
    if (!job.enabled) return disabled;
    const outcome = yield* lane
      .withPermit(replayLetter(job, stored))
      .pipe(Effect.provideService(Destinations, destinations));
    if (outcome.delivered) yield* letters.remove(stored.position).pipe(Effect.mapError(unavailable));
    return outcome;
  });

  return DeadLettersAdmin.of({
    list: Effect.fnUntraced(function* ({ after = 0, customer, job, limit = pageLetters }) {
      if ([customer, job].some((id) => id !== undefined && !isId(id))) return { letters: [] };
      const page = yield* letters.list({ after, customer, job, limit }).pipe(Effect.mapError(unavailable));
      const shown = page.letters.map(summaryOf);
      return page.next === undefined ? { letters: shown } : { letters: shown, next: page.next };
    }),
    get: Effect.fnUntraced(function* (id) {
      const stored = yield* find(id);
      return { ...summaryOf(stored), record: Buffer.from(stored.letter.record).toString("utf8") };
    }),
    drop: Effect.fnUntraced(function* (id) {
      const { position } = yield* find(id);
      yield* letters.remove(position).pipe(Effect.mapError(unavailable));
      yield* Effect.logInfo("A dead letter was dropped.", { ...id });
    }),
    dropAll: Effect.fnUntraced(function* (job) {
      if (!isId(job)) return 0;
      const dropped = yield* letters.removeAll(job).pipe(Effect.mapError(unavailable));
      yield* Effect.logInfo("All dead letters of a job were dropped.", { job, dropped });
      return dropped;
    }),
    replay: (id) => Effect.flatMap(find(id), (stored) => Effect.map(again(stored), (done) => replayOf(stored, done))),
    replayAll: Effect.fnUntraced(function* (job, after = 0) {
      yield* jobOf(job);
      const page = yield* letters.list({ job, after, limit: pageLetters }).pipe(Effect.mapError(unavailable));
      const until = (yield* Clock.currentTimeMillis) + replayMillisMax;
      const replays: Array<LetterReplay> = [];
      for (const stored of page.letters) {
        const outcome = yield* again(stored);
        replays.push(replayOf(stored, outcome));
        if (outcome.blocked) return { replays, stopped: outcome.detail };
        const isLast = stored === page.letters.at(-1);
        if (!isLast && (yield* Clock.currentTimeMillis) > until) return { replays, next: stored.position };
      }
      return page.next === undefined ? { replays } : { replays, next: page.next };
    }),
  });
});

const disabled: LetterOutcome = {
  delivered: false,
  blocked: true,
  detail: "the push job is disabled: enable it, then replay",
};

const unavailable = ({ detail }: DeadLettersUnavailable) =>
  new ApiUnavailable({ detail: `The dead letters cannot be read: ${detail}` });

const nameOf = ({ index, job, sequence }: LetterId): string => `${job}/${sequence}/${index}`;

const summaryOf = ({ letter: { record, ...letter } }: StoredLetter): LetterSummary => ({
  ...letter,
  status: letter.status ?? null,
  bytes: record.length,
});

const replayOf = ({ letter: { index, job, sequence } }: StoredLetter, outcome: LetterOutcome): LetterReplay => ({
  job,
  sequence,
  index,
  result: outcome.delivered ? "delivered" : "kept",
  detail: outcome.detail,
});
