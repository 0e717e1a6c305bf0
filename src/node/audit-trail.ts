import { Effect } from "effect";
import { AuditTrail } from "../api/audit-port.ts";
import { ApiUnavailable } from "../api/ports.ts";
import type { AuditLog, AuditUnavailable } from "../streams/audit-log.ts";

const unavailable = ({ detail }: AuditUnavailable) => new ApiUnavailable({ detail });

/** The audit log for the API. */
export const auditTrailOf = (log: AuditLog): AuditTrail["Service"] =>
  AuditTrail.of({
    append: (note) => Effect.mapError(log.append(note), unavailable),
    list: (after, limit) =>
      log.list(after, limit).pipe(
        Effect.map(({ entries, next }) => (next === undefined ? { entries } : { entries, next })),
        Effect.mapError(unavailable),
      ),
    verify: (kept) => Effect.mapError(log.verify(kept), unavailable),
  });
