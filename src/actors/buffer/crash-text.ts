import { Cause } from "effect";
import { redactText } from "../../observability/redaction.ts";

const charactersMax = 300;

/**
 * What a crash was, in one line that may be shown and stored: without credentials, and without what the message quotes,
 * for a parser's message quotes what it could not read, and that is a customer's record.
 */
export const crashText = (thrown: unknown): string => {
  const cause = Cause.isCause(thrown) ? Cause.squash(thrown) : thrown;
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return redactText(text.replaceAll(/(["'`])[\s\S]*?\1/g, "$1…$1").replaceAll(/\s+/g, " ")).slice(0, charactersMax);
};
