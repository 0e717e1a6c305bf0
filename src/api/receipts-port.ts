import { Context, type Effect, Schema } from "effect";
import type { ReceiptReason } from "../actors/ports/checkpoints.ts";
import type { ReceiptReport } from "./buffer-reports.ts";
import type { ApiUnavailable } from "./ports.ts";

export interface ReceiptsInput {
  readonly customer?: string | undefined;
  readonly job?: string | undefined;
  readonly dataset?: string | undefined;
  readonly reason?: ReceiptReason | undefined;
  /** A time with its zone. */
  readonly since?: string | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** `since` or `after` cannot be read. */
export class InvalidReceiptQuery extends Schema.TaggedError<InvalidReceiptQuery>()("InvalidReceiptQuery", {
  detail: Schema.String,
}) {}

/** Receipts of all partitions, whoever owns them. */
export class ReceiptsView extends Context.Service<
  ReceiptsView,
  {
    /** Partition by partition, in each the oldest first. A page may be short and have a `next` all the same. */
    readonly list: (
      input: ReceiptsInput,
    ) => Effect.Effect<
      { readonly receipts: ReadonlyArray<ReceiptReport>; readonly next?: string },
      InvalidReceiptQuery | ApiUnavailable
    >;
  }
>()("spillway/api/ReceiptsView") {}
