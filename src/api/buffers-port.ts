import { Context, type Effect, Schema } from "effect";
import type { CommandReport } from "../domain/buffer-command.ts";
import type { BufferPage, BufferReport } from "./buffer-reports.ts";
import type { ApiUnavailable } from "./ports.ts";

export interface BufferQuery {
  /** A delivery or flow state, `overloaded`, `disabled` or `restarting`. */
  readonly state?: string | undefined;
  readonly flow?: string | undefined;
  readonly customer?: string | undefined;
  /** Only job ids after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** This node's buffers; those of other nodes are listed there. */
export class BuffersView extends Context.Service<
  BuffersView,
  {
    /** Ordered by job id. */
    readonly list: (query: BufferQuery) => Effect.Effect<BufferPage>;
    /** Undefined: this node has no buffer of this job. */
    readonly get: (job: string) => Effect.Effect<BufferReport | undefined>;
  }
>()("spillway/api/BuffersView") {}

/** There is no such push job, or its owner has no buffer of it. */
export class BufferNotFound extends Schema.TaggedError<BufferNotFound>()("BufferNotFound", { job: Schema.String }) {}

/** The command cannot be carried out; nothing was changed. */
export class CommandRefused extends Schema.TaggedError<CommandRefused>()("CommandRefused", {
  /** For programs: `not_now`, `cannot_skip`, `invalid_skip`, `busy`. */
  code: Schema.Literals(["not_now", "cannot_skip", "invalid_skip", "busy"]),
  /** For people: why, and what to do. */
  detail: Schema.String,
}) {}

/** What a skip is asked for: everything that is there now, a time with its zone, or a sequence. */
export type SkipInput = string | number;

type Commanded = Effect.Effect<CommandReport, BufferNotFound | CommandRefused | ApiUnavailable>;

/** Commands to a buffer, wherever its owner is. */
export class BufferCommands extends Context.Service<
  BufferCommands,
  {
    /** Out of quarantine or suspension, or at once instead of at the next retry. */
    readonly resume: (job: string) => Commanded;
    /** Nothing is pushed until somebody resumes it. */
    readonly quarantine: (job: string) => Commanded;
    /** Gives up the oldest part of the backlog, with a receipt. */
    readonly skip: (job: string, to: SkipInput) => Commanded;
  }
>()("spillway/api/BufferCommands") {}
