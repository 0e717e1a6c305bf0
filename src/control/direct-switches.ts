import { Effect, Fiber, Layer, type Redacted, Schema, type Scope } from "effect";
import type { AuditNote } from "../domain/audit-entry.ts";
import type { KillSwitch } from "../domain/kill-switch.ts";
import { type AuditLog, openAuditLog } from "../streams/audit-log.ts";
import { Nats, type NatsError } from "../streams/nats.ts";
import { openSwitchBucket, replicasOfCluster } from "../streams/switch-bucket.ts";
import { putSwitch, readSwitches, removeSwitch, type SwitchAuthor } from "../streams/switch-writes.ts";
import { limitDefaults } from "./limit-defaults.ts";

/** NATS does not do what it should; `message` is one line for people. */
export class DirectSwitchesError extends Schema.TaggedError<DirectSwitchesError>()("DirectSwitchesError", {
  message: Schema.String,
}) {}

/** Kill switches without any node: every node that runs follows what is written here. */
export interface DirectSwitches {
  readonly list: Effect.Effect<ReadonlyArray<KillSwitch>, DirectSwitchesError>;
  readonly add: (wanted: KillSwitch, replace: boolean) => Effect.Effect<void, DirectSwitchesError>;
  /** Undefined: it is not on. */
  readonly remove: (id: string, author: SwitchAuthor) => Effect.Effect<KillSwitch | undefined, DirectSwitchesError>;
}

export interface DirectSwitchesOptions {
  /** `host:port` or `nats://host:port`, comma-separated for a cluster. */
  readonly servers: string;
  readonly token: Redacted.Redacted | undefined;
  /** For the audit log: the machine that this comes from. */
  readonly from: string;
}

/** Where the shipped defaults are gone. */
const auditBytes = 134_217_728;
const switchesMax = 100;
/** What is being stopped is not to go on for longer, for want of a note. */
const noteMillisMax = 3_000;

const sentence = ({ detail }: { readonly detail: string }) =>
  new DirectSwitchesError({ message: `${detail[0]?.toUpperCase() ?? ""}${detail.slice(1)}` });

/** For as long as the scope lives. */
export const openDirectSwitches = Effect.fn("control.openDirectSwitches")(function* (
  options: DirectSwitchesOptions,
): Effect.fn.Return<DirectSwitches, DirectSwitchesError, Scope.Scope> {
  const { from, servers, token } = options;
  const nats = yield* Layer.build(Nats.layer({ servers, token, name: "spillway-kill" })).pipe(
    Effect.mapError(
      ({ detail }) => new DirectSwitchesError({ message: `NATS at ${servers} does not answer: ${detail}` }),
    ),
  );
  const limits = yield* limitDefaults;
  const replicas = yield* Effect.provideContext(replicasOfCluster, nats).pipe(Effect.mapError(sentence));
  if (replicas === undefined) {
    return yield* new DirectSwitchesError({
      message: `There is no Spillway on NATS at ${servers}: nothing was changed`,
    });
  }
  const bucket = yield* openSwitchBucket(replicas).pipe(Effect.provideContext(nats), Effect.mapError(sentence));
  // Beside what is to be done: the log may be what is broken.
  const opening = yield* Effect.forkScoped(
    openAuditLog({ replicas, nodeName: from, auditBytesMax: limits["auditBytesMax"] ?? auditBytes }).pipe(
      Effect.provideContext(nats),
    ),
  );

  const noted = <A, E>(what: string, { who, why }: SwitchAuthor, change: Effect.Effect<A, E>) =>
    notedIn(Fiber.join(opening), { who, from, what, why }, change);

  return {
    list: Effect.mapError(readSwitches(bucket), sentence),
    add: (wanted, replace) =>
      noted(
        `kill add ${wanted.id}`,
        wanted,
        putSwitch(bucket, wanted, { replace, killSwitchesMax: limits["killSwitchesMax"] ?? switchesMax }),
      ).pipe(Effect.mapError(sentence), Effect.asVoid),
    remove: (id, author) =>
      noted(`kill remove ${id}`, author, removeSwitch(bucket, id, author, undefined)).pipe(
        Effect.map((removed) => removed?.switch),
        Effect.mapError(sentence),
      ),
  };
});

/** In an emergency it is done all the same when it cannot be noted: that is said. */
const notedIn = Effect.fnUntraced(function* <A, E>(
  audit: Effect.Effect<AuditLog, NatsError>,
  about: Omit<AuditNote, "kind" | "detail">,
  change: Effect.Effect<A, E>,
) {
  const note = (entry: Pick<AuditNote, "kind" | "detail">) =>
    Effect.flatMap(audit, (log) => log.append({ ...about, ...entry })).pipe(
      Effect.timeoutOrElse({
        duration: noteMillisMax,
        orElse: () => Effect.fail({ detail: "it does not answer in time" }),
      }),
      Effect.catch(({ detail }) => Effect.logWarning("This is not in the audit log.", { what: about.what, detail })),
    );
  yield* note({ kind: "request.asked", detail: "" });
  const done = yield* change;
  yield* note({ kind: "request.answered", detail: "done, without a node" });
  return done;
});
