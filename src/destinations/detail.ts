const detailLengthMax = 300;

/**
 * Text fit for an outcome's detail: one line, at most 300 characters, without control characters. What goes in must
 * already be free of credentials, query strings and records: cutting does not redact.
 */
export const oneLine = (text: string): string => {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not reach a log line
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
  return line.length <= detailLengthMax ? line : `${line.slice(0, detailLengthMax - 1)}…`;
};

/** Node's or undici's code of an exception; of an aggregate (several addresses tried) that of its first error. */
export const codeOf = (cause: unknown): string => {
  if (typeof cause !== "object" || cause === null) return "";
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  return cause instanceof AggregateError ? codeOf(cause.errors[0]) : "";
};

/** An exception in a few words; never its stack. */
export const messageOf = (cause: unknown): string => {
  if (cause instanceof AggregateError && cause.message === "") return messageOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
};
