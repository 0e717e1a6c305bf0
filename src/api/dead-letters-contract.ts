import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { LetterPageReport, LetterReplay, LettersReplay, ShownLetter } from "./dead-letter-reports.ts";
import { BadRequest, NotFound, Unavailable } from "./failures.ts";

/** Most letters in one page. */
export const lettersPageMax = 1_000;

const natural = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0));
const job = { job: Schema.String };
const letter = { ...job, sequence: natural, index: natural };
const after = { after: Schema.optionalKey(natural) };
const error = [BadRequest, NotFound, Unavailable];

export class DeadLettersGroup extends HttpApiGroup.make("deadLetters").add(
  HttpApiEndpoint.get("listDeadLetters", "/v1/dead-letters", {
    query: {
      ...after,
      job: Schema.optionalKey(Schema.String),
      customer: Schema.optionalKey(Schema.String),
      limit: Schema.optionalKey(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: lettersPageMax })),
      ),
    },
    success: LetterPageReport,
    error: [BadRequest, Unavailable],
  }).annotateMerge(
    OpenApi.annotations({ summary: "Records that a destination refused, oldest first, of a job or a customer or all" }),
  ),
  HttpApiEndpoint.get("getDeadLetter", "/v1/dead-letters/:job/:sequence/:index", {
    params: letter,
    success: ShownLetter,
    error,
  }).annotateMerge(OpenApi.annotations({ summary: "One dead letter with its record" })),
  HttpApiEndpoint.delete("dropDeadLetter", "/v1/dead-letters/:job/:sequence/:index", {
    params: letter,
    success: HttpApiSchema.NoContent,
    error,
  }).annotateMerge(OpenApi.annotations({ summary: "Drop a dead letter: its record is gone" })),
  HttpApiEndpoint.delete("dropDeadLetters", "/v1/dead-letters/:job", {
    params: job,
    success: Schema.Struct({ dropped: Schema.Int }),
    error,
  }).annotateMerge(OpenApi.annotations({ summary: "Drop all dead letters of a job" })),
  HttpApiEndpoint.post("replayDeadLetter", "/v1/dead-letters/:job/:sequence/:index/replay", {
    params: letter,
    success: LetterReplay,
    error,
  }).annotateMerge(
    OpenApi.annotations({ summary: "Push one dead letter again; it is removed when the destination takes it" }),
  ),
  HttpApiEndpoint.post("replayDeadLetters", "/v1/dead-letters/:job/replay", {
    params: job,
    query: after,
    success: LettersReplay,
    error,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Push a job's dead letters again, a page at a time",
      description: "Each is a batch of its own. Repeat with after=next as long as the answer has a next.",
    }),
  ),
) {}
