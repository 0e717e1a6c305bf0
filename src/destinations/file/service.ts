import { Clock, Effect, Random } from "effect";
import { link, open, rename, stat, unlink } from "node:fs/promises";
import type { OpenDestination, PushRequest } from "../../actors/ports/destinations.ts";
import type { PushOutcome } from "../../domain/push-outcome.ts";
import { joinBody } from "../body.ts";
import { classifyFile, type FileAnswer } from "./classify.ts";
import { attemptFile, createFolder, FileFailed, removeStaleTemporaries, syncFolder } from "./folder.ts";
import { filePath, fileTarget, type FileTarget } from "./request.ts";
import { hasSameContent } from "./same-content.ts";
import type { FileSettings } from "./settings.ts";

/**
 * One file per batch: written under a temporary name, synced, then linked to its final name, which fails when that name
 * is taken. So a reader sees whole files only, a file is never overwritten, and what is Delivered survives a power cut.
 */
export const fileDestination = Effect.fnUntraced(function* (settings: FileSettings) {
  const incarnation = (yield* Random.nextIntBetween(0, 2 ** 48)).toString(36);
  let pushes = 0;
  /** The folder that was created and cleaned last; another one follows when `{DATE}` changes. */
  let preparedFolder: string | undefined;

  const prepare = Effect.fnUntraced(function* (target: FileTarget) {
    if (target.folder === preparedFolder) return;
    yield* createFolder(target.folder);
    // Twice the longest push: another writer's temporary in this folder may still be at work.
    const olderThanMillis = (yield* Clock.currentTimeMillis) - 2 * settings.millisMax;
    yield* Effect.ignore(removeStaleTemporaries(target, olderThanMillis));
    preparedFolder = target.folder;
  });

  const write = Effect.fnUntraced(function* (request: PushRequest) {
    pushes += 1;
    const target = fileTarget(settings, request, `${incarnation}-${pushes}`);
    yield* prepare(target);
    const placed = yield* Effect.ensuring(
      Effect.andThen(
        writeTemporary(target, request),
        // Uninterruptible: it is short, and its result must not go unread.
        Effect.uninterruptible(place(target)),
      ),
      Effect.ignore(attemptFile(() => unlink(target.temporary))),
    );
    // Also when the name was taken: an earlier attempt may have died before this step.
    yield* syncFolder(target.folder);
    if (placed) return written;
    return { _tag: "Taken", same: yield* hasSameContent(target.final, request.body) } satisfies FileAnswer;
  });

  const push = (request: PushRequest): Effect.Effect<PushOutcome> =>
    write(request).pipe(
      Effect.catch((failed) => {
        // The folder may have been removed under us: the next attempt makes it again.
        preparedFolder = undefined;
        return Effect.succeed<FileAnswer>({ _tag: "Failed", code: failed.code, detail: failed.detail });
      }),
      Effect.timeoutOrElse({
        duration: settings.millisMax,
        orElse: () => Effect.succeed<FileAnswer>({ _tag: "TimedOut", millisMax: settings.millisMax }),
      }),
      Effect.map((answer) => classifyFile(answer, filePath(settings, request))),
    );

  return { push, locate: (request) => filePath(settings, request), host: "file" } satisfies OpenDestination;
});

const written: FileAnswer = { _tag: "Written" };

/** Customers' data: for the owner and the group only. */
const fileMode = 0o640;

const writeTemporary = (target: FileTarget, request: PushRequest): Effect.Effect<void, FileFailed> =>
  Effect.acquireUseRelease(
    attemptFile(() => open(target.temporary, "wx", fileMode)),
    (handle) =>
      attemptFile(async () => {
        const body = joinBody(request.body, request.bodyBytes);
        await handle.writeFile(body);
        await handle.sync();
      }),
    (handle) => Effect.ignore(attemptFile(() => handle.close())),
  );

/** Gives the temporary its final name; false when that name is taken. */
const place = (target: FileTarget): Effect.Effect<boolean, FileFailed> =>
  attemptFile(() => link(target.temporary, target.final)).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ code }) => code === "EEXIST",
      () => Effect.succeed(false),
    ),
    Effect.catchIf(
      ({ code }) => withoutLinks.has(code),
      () => placeByRename(target),
    ),
  );

/** What file systems without hard links (exFAT, some network and FUSE ones) answer to `link`. */
const withoutLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** The gap between the two calls is only open to another writer of this very batch, who brings the same records. */
const placeByRename = (target: FileTarget): Effect.Effect<boolean, FileFailed> =>
  attemptFile(() => stat(target.final)).pipe(
    Effect.as(false),
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () =>
        Effect.as(
          attemptFile(() => rename(target.temporary, target.final)),
          true,
        ),
    ),
  );
