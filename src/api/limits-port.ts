import { Context, type Effect } from "effect";
import type { LimitReport } from "./reports.ts";

/** The limits of this node and what is in use of them. */
export class LimitsView extends Context.Service<
  LimitsView,
  { readonly list: Effect.Effect<ReadonlyArray<LimitReport>> }
>()("spillway/api/LimitsView") {}
