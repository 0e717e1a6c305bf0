import { Schema } from "effect";
import { ReadinessCheck } from "./reports.ts";

/** Every answer that is not a success has this body: `{"error": {"code", "message", "problems"?}}`. */
export const ErrorDetail = Schema.Struct({
  /** For programs: a closed set of snake_case words. */
  code: Schema.String,
  /** For people: what is wrong and what to do. */
  message: Schema.String,
  problems: Schema.optionalKey(Schema.Array(Schema.String)),
});
export type ErrorDetail = typeof ErrorDetail.Type;

const fields = { error: ErrorDetail };

export class BadRequest extends Schema.Error<BadRequest>("spillway/api/BadRequest")(fields, { httpApiStatus: 400 }) {}

export class NotFound extends Schema.Error<NotFound>("spillway/api/NotFound")(fields, { httpApiStatus: 404 }) {}

export class Conflict extends Schema.Error<Conflict>("spillway/api/Conflict")(fields, { httpApiStatus: 409 }) {}

export class PreconditionFailed extends Schema.Error<PreconditionFailed>("spillway/api/PreconditionFailed")(fields, {
  httpApiStatus: 412,
}) {}

export class TooLarge extends Schema.Error<TooLarge>("spillway/api/TooLarge")(fields, { httpApiStatus: 413 }) {}

export class Unavailable extends Schema.Error<Unavailable>("spillway/api/Unavailable")(fields, {
  httpApiStatus: 503,
}) {}

/** The answer of `/readyz` while a check fails. */
export class NotReady extends Schema.Error<NotReady>("spillway/api/NotReady")(
  { ...fields, ready: Schema.Literal(false), checks: Schema.Array(ReadinessCheck) },
  { httpApiStatus: 503 },
) {}
