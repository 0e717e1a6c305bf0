import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { refusedReasons } from "../forwarder/refusals.ts";
import { BadRequest, NotFound, TooLarge, Unavailable } from "./failures.ts";

const reason = Schema.Literals(refusedReasons);

/**
 * The documentation of `POST /v1/ingest/{dataset}`. It is not served from here: the forwarder's own handler takes these
 * requests raw, and this group only puts them into `/openapi.json`. `docs/INGEST.md` says it in full.
 */
export const IngestAnswer = Schema.Struct({
  /** Records that are durable now. */
  accepted: Schema.Int,
  /** Records that no enabled push job wants: counted and dropped. */
  unconfigured: Schema.Int,
  /** Records refused one by one; the rest of the body was taken all the same. */
  refusedCount: Schema.Int,
  /** The same by reason; a reason that did not occur is absent. */
  refusedByReason: Schema.Record(reason, Schema.optionalKey(Schema.Int)),
  /** The first of them, in the order of the body. `line` is 1-based, `detail` for people. */
  refused: Schema.Array(Schema.Struct({ line: Schema.Int, reason, detail: Schema.String })),
});

const { error } = BadRequest.fields;

class RequestTimeout extends Schema.Error<RequestTimeout>("spillway/api/RequestTimeout")(
  { error },
  { httpApiStatus: 408 },
) {}

class UnsupportedMediaType extends Schema.Error<UnsupportedMediaType>("spillway/api/UnsupportedMediaType")(
  { error },
  { httpApiStatus: 415 },
) {}

class TooManyRequests extends Schema.Error<TooManyRequests>("spillway/api/TooManyRequests")(
  { error },
  { httpApiStatus: 429 },
) {}

class InternalError extends Schema.Error<InternalError>("spillway/api/InternalError")(
  { error },
  { httpApiStatus: 500 },
) {}

export class IngestGroup extends HttpApiGroup.make("ingest").add(
  HttpApiEndpoint.post("ingest", "/v1/ingest/:dataset", {
    params: { dataset: Schema.String },
    query: { "spillway-customer-field": Schema.optionalKey(Schema.String) },
    headers: {
      "spillway-customer": Schema.optionalKey(Schema.String),
      "spillway-customer-field": Schema.optionalKey(Schema.String),
      "idempotency-key": Schema.optionalKey(Schema.String),
      "content-encoding": Schema.optionalKey(Schema.Literals(["identity", "gzip", "x-gzip", "zstd"])),
    },
    payload: Schema.String.pipe(HttpApiSchema.asText({ contentType: "application/x-ndjson" })),
    success: IngestAnswer,
    // 404: the node is not a forwarder.
    error: [
      BadRequest,
      NotFound,
      RequestTimeout,
      TooLarge,
      UnsupportedMediaType,
      TooManyRequests,
      InternalError,
      Unavailable,
    ],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Send records",
      description:
        "The body is NDJSON: one JSON object per line. The answer comes after the records are durable. The customer is " +
        "named by the header Spillway-Customer, or per record by a field: the one that Spillway-Customer-Field names (a " +
        "header or a query parameter), else the dataset's own. A repeated request with the same Idempotency-Key stores " +
        "nothing twice. Every refused record is counted, the first 100 are listed. 429 (every " +
        "customer of the body is held back: over its quota, above its share, or new in a surge) and 503 carry " +
        "Retry-After; so does a 200 of which some records were held back.",
    }),
  ),
) {}
