import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { BadRequest, NotFound, TooLarge, Unavailable } from "./failures.ts";

/**
 * The documentation of `POST /v1/ingest/{dataset}`. It is not served from here: the forwarder's own handler takes these
 * requests raw, and this group only puts them into `/openapi.json`.
 */
export const IngestAnswer = Schema.Struct({
  /** Records that are durable now. */
  accepted: Schema.Int,
  /** Records that no enabled push job wants: counted and dropped. */
  unconfigured: Schema.Int,
  /** Records refused one by one; the rest of the body was taken all the same. */
  refused: Schema.Array(Schema.Struct({ line: Schema.Int, reason: Schema.String })),
});

class UnsupportedMediaType extends Schema.Error<UnsupportedMediaType>("spillway/api/UnsupportedMediaType")(
  { error: BadRequest.fields.error },
  { httpApiStatus: 415 },
) {}

class TooManyRequests extends Schema.Error<TooManyRequests>("spillway/api/TooManyRequests")(
  { error: BadRequest.fields.error },
  { httpApiStatus: 429 },
) {}

export class IngestGroup extends HttpApiGroup.make("ingest").add(
  HttpApiEndpoint.post("ingest", "/v1/ingest/:dataset", {
    params: { dataset: Schema.String },
    headers: {
      "spillway-customer": Schema.optionalKey(Schema.String),
      "idempotency-key": Schema.optionalKey(Schema.String),
      "content-encoding": Schema.optionalKey(Schema.Literals(["identity", "gzip", "zstd"])),
    },
    payload: Schema.String.pipe(HttpApiSchema.asText({ contentType: "application/x-ndjson" })),
    success: IngestAnswer,
    error: [BadRequest, NotFound, TooLarge, UnsupportedMediaType, TooManyRequests, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Send records",
      description:
        "The body is NDJSON: one JSON object per line. The answer comes after the records are durable. The customer is " +
        "named by the header Spillway-Customer, or per record by the dataset's customer field. A repeated request with the " +
        "same Idempotency-Key stores nothing twice. 429 and 503 carry Retry-After.",
    }),
  ),
) {}
