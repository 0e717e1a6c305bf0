import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { AuditEntry, AuditVerdict } from "../domain/audit-entry.ts";
import { BadRequest, Unavailable } from "./failures.ts";

/** Most entries in one page. */
export const auditPageMax = 1_000;

const whole = (minimum: number, maximum: number) =>
  Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })));

export class AuditGroup extends HttpApiGroup.make("audit").add(
  HttpApiEndpoint.get("listAudit", "/v1/audit", {
    query: { after: whole(0, Number.MAX_SAFE_INTEGER), limit: whole(1, auditPageMax) },
    success: Schema.Struct({ entries: Schema.Array(AuditEntry), next: Schema.optionalKey(Schema.Int) }),
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Who changed what, when and why",
      description: "Without `after` the newest entries, ascending. Repeat with after=next until there is none.",
    }),
  ),
  HttpApiEndpoint.get("verifyAudit", "/v1/audit/verdict", {
    query: { head: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))) },
    success: AuditVerdict,
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Whether the audit log is whole",
      description:
        "Recomputes the chain of hashes, which takes as long as reading all of it does. `head` is one that was kept " +
        "elsewhere: `keptAt` says which entry has it.",
    }),
  ),
) {}
