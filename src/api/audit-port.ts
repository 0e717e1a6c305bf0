import { Context, type Effect } from "effect";
import type { AuditEntry, AuditNote, AuditVerdict } from "../domain/audit-entry.ts";
import type { ApiUnavailable } from "./ports.ts";

/** The log of what was done from outside. What cannot be noted must not be done. */
export class AuditTrail extends Context.Service<
  AuditTrail,
  {
    /** Durable when it completes; answers the entry's number. */
    readonly append: (note: AuditNote) => Effect.Effect<number, ApiUnavailable>;
    /** Entries after a number; without one the newest `limit`. Ascending either way. */
    readonly list: (
      after: number | undefined,
      limit: number,
    ) => Effect.Effect<{ readonly entries: ReadonlyArray<AuditEntry>; readonly next?: number }, ApiUnavailable>;
    /** Reads the whole log; `kept`: a head that somebody has kept elsewhere. */
    readonly verify: (kept?: string) => Effect.Effect<AuditVerdict, ApiUnavailable>;
  }
>()("spillway/api/AuditTrail") {}
