import { Context, Effect, Schema } from "effect";
import { ConfigConflict, ConfigControl, ConfigInvalid, SnapshotNotFound } from "../api/config-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import { type ConfigCommand, ConfigDiff, ConfigPlan, ConfigStatus, RolloutRecord } from "../domain/config-report.ts";
import { askControl } from "../streams/config-messages.ts";
import { Nats } from "../streams/nats.ts";

const Answer = Schema.Union([
  Schema.Struct({ done: Schema.Unknown }),
  Schema.Struct({ conflict: Schema.String }),
  Schema.Struct({ notFound: Schema.Int }),
  Schema.Struct({ invalid: Schema.String }),
  Schema.Struct({ unavailable: Schema.String }),
]);
/** Generating and judging a snapshot of a million jobs takes long, and whatever is asked meanwhile comes after it. */
const workMillisMax = 100_000;
/** These change nothing: whoever got no answer has missed nothing. */
const looks: ReadonlySet<string> = new Set(["status", "plan", "history", "diff"]);

const noAnswer = ({ op }: ConfigCommand, detail: string) => {
  const left = looks.has(op) ? "" : " It may have begun all the same: look at `spillway config status` first.";
  return new ApiUnavailable({ detail: `No control process answers (${detail}).${left}` });
};

const decodeAnswer = Schema.decodeUnknownEffect(Answer);

/** Asks the control process that leads, on this node or another. */
export const makeConfigControl = Effect.gen(function* () {
  const context = yield* Effect.context<Nats>();

  const ask = <A>(command: ConfigCommand, decode: (value: unknown) => Effect.Effect<A, unknown>) =>
    Effect.gen(function* () {
      const answer = yield* askControl(command, command.op === "status" ? undefined : workMillisMax).pipe(
        Effect.mapError(({ detail }) => noAnswer(command, detail)),
      );
      const decoded = yield* decodeAnswer(answer).pipe(Effect.mapError(foreign));
      if ("conflict" in decoded) return yield* new ConfigConflict({ message: decoded.conflict });
      if ("invalid" in decoded) return yield* new ConfigInvalid({ message: decoded.invalid });
      if ("notFound" in decoded) return yield* new SnapshotNotFound({ number: decoded.notFound });
      if ("unavailable" in decoded) return yield* new ApiUnavailable({ detail: decoded.unavailable });
      return yield* decode(decoded.done).pipe(Effect.mapError(foreign));
    }).pipe(Effect.provideContext(Context.make(Nats, Context.get(context, Nats))));

  const read = <A>(command: ConfigCommand, decode: (value: unknown) => Effect.Effect<A, unknown>) =>
    ask(command, decode).pipe(
      Effect.catchTags({
        ConfigConflict: ({ message }) => Effect.fail(new ApiUnavailable({ detail: message })),
        ConfigInvalid: ({ message }) => Effect.fail(new ApiUnavailable({ detail: message })),
        SnapshotNotFound: ({ number }) => Effect.fail(new ApiUnavailable({ detail: `Snapshot ${number} is gone.` })),
      }),
    );

  return ConfigControl.of({
    status: read({ op: "status" }, decodeStatus),
    plan: read({ op: "plan" }, decodePlan),
    history: (limit) => read({ op: "history", limit }, decodeHistory),
    diff: (from, to) =>
      ask({ op: "diff", from, to }, decodeDiff).pipe(
        Effect.catchTags({
          ConfigConflict: ({ message }) => Effect.fail(new ApiUnavailable({ detail: message })),
          ConfigInvalid: ({ message }) => Effect.fail(new ApiUnavailable({ detail: message })),
        }),
      ),
    // As before, where nothing new is asked for: whoever leads may be of an earlier version.
    apply: ({ accept, canaryNodes, unfreeze, who, why }) =>
      ask(
        {
          op: "apply",
          accept,
          ...(canaryNodes.length === 0 ? {} : { canaryNodes }),
          ...(unfreeze ? { unfreeze } : {}),
          who,
          why,
        },
        decodeStatus,
      ),
    rollback: ({ accept, to, who, why }) => ask({ op: "rollback", to, accept, who, why }, decodeStatus),
    freeze: ({ who, why }) => ask({ op: "freeze", who, why }, decodeStatus),
    unfreeze: ({ who, why }) => ask({ op: "unfreeze", who, why }, decodeStatus),
    halt: ({ who, why }) => ask({ op: "halt", who, why }, decodeStatus),
    resume: ({ who, why }) => ask({ op: "resume", who, why }, decodeStatus),
  });
});

const decodeStatus = Schema.decodeUnknownEffect(ConfigStatus);
const decodePlan = Schema.decodeUnknownEffect(ConfigPlan);
const decodeDiff = Schema.decodeUnknownEffect(ConfigDiff);
const decodeHistory = Schema.decodeUnknownEffect(Schema.Array(RolloutRecord));

const foreign = () =>
  new ApiUnavailable({ detail: "The control process answers in a way that this node cannot read." });
