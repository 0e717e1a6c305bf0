import { Effect, Result, Schema } from "effect";
import { fileURLToPath } from "node:url";
import { AlertRules } from "../domain/alert-rule.ts";
import { readSource } from "./read-source.ts";
import { strictDecode } from "./strict-decode.ts";

/** Alert rules that cannot be used, with everything that is wrong with them, one line each. */
export class AlertRulesError extends Schema.TaggedError<AlertRulesError>()("AlertRulesError", {
  problems: Schema.Array(Schema.String),
  message: Schema.String,
}) {}

/** The same depth below the package's root in a clone (`src/`) and in the package (`dist/`). */
const shippedFile = fileURLToPath(new URL("../../config/alerts.json", import.meta.url));

/** The rules of a file, decoded strictly: an unknown key is a rule that somebody believes in and that does nothing. */
export const loadAlertRules = Effect.fn("control.loadAlertRules")(function* (
  file: string = shippedFile,
): Effect.fn.Return<AlertRules, AlertRulesError> {
  const document = yield* readSource(file).pipe(Effect.mapError(failure));
  const decoded = strictDecode(AlertRules, document.value, () => true);
  return Result.isSuccess(decoded) ? decoded.success : yield* failure(document.explain(decoded.failure));
});

const failure = (problems: ReadonlyArray<string>) =>
  new AlertRulesError({ problems, message: `The alert rules cannot be used:\n${problems.join("\n")}` });
