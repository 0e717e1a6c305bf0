import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { ReceiptReasonName, ReceiptReport } from "./buffer-reports.ts";
import { BadRequest, Unavailable } from "./failures.ts";

/** Most receipts in one page. */
export const receiptsPageMax = 1_000;

const text = Schema.optionalKey(Schema.String);

export class ReceiptsGroup extends HttpApiGroup.make("receipts").add(
  HttpApiEndpoint.get("listReceipts", "/v1/receipts", {
    query: {
      customer: text,
      job: text,
      dataset: text,
      reason: Schema.optionalKey(ReceiptReasonName),
      since: text,
      after: text,
      limit: Schema.optionalKey(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: receiptsPageMax })),
      ),
    },
    success: Schema.Struct({ receipts: Schema.Array(ReceiptReport), next: text }),
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Records that were accepted and not delivered, or refused at the door: how many, which, and why",
      description:
        "Of all partitions. A page may be short, or empty, and still have a `next`: repeat with after=next until there is none.",
    }),
  ),
) {}
