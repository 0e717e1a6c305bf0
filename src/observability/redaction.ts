import { redactUrl } from "../domain/destination.ts";

/**
 * The last guard before a log line leaves: what carries a secret by its name, or looks like one, is replaced. Callers
 * redact what they know to be secret; this is for what nobody thought of.
 */
export const redact = (value: unknown): unknown => redactAt(value, 0);

const mark = "[redacted]";
const depthMax = 6;
const itemsMax = 100;
const textMax = 8_192;

const redactAt = (value: unknown, depth: number): unknown => {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return redactText(value.message);
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= depthMax) return "[deep]";
  // Bytes are records or bodies: never in a log.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => redactAt(item, depth + 1));
  if ("toJSON" in value && typeof value.toJSON === "function") return redactAt(value.toJSON(), depth + 1);
  const redacted: Record<string, unknown> = {};
  for (const key of Object.keys(value).slice(0, itemsMax)) {
    const item = (value as Record<string, unknown>)[key];
    // A plain assignment to this name would set the prototype.
    if (key === "__proto__") continue;
    redacted[key] = isSecretName(key) ? mark : redactAt(item, depth + 1);
  }
  return redacted;
};

const secretName =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|headers|pass|pwd|.*(?:token|secret|passw|credential|api[-_]?key|access[-_]?key|private[-_]?key|signature))/i;

/** Nearly all names are those of the code's own fields, the same few in each line. */
const namesKnown = new Map<string, boolean>();
const namesKnownMax = 1_000;

const isSecretName = (key: string): boolean => {
  const known = namesKnown.get(key);
  if (known !== undefined) return known;
  const secret = secretName.test(key);
  if (namesKnown.size < namesKnownMax) namesKnown.set(key, secret);
  return secret;
};

/** Each replacement below needs one of these: nearly all texts have none, and there are thousands of lines a second. */
const suspicious = /:\/\/|bearer|basic|AKIA|ASIA|token|secret|password|api_?key/i;

/** URLs lose userinfo and query; bearer tokens, basic credentials and AWS key ids lose themselves. */
export const redactText = (text: string): string =>
  text.length <= textMax && !suspicious.test(text) ? text : redactSuspicious(text);

const redactSuspicious = (text: string): string =>
  (text.length > textMax ? `${text.slice(0, textMax)}… (${text.length} characters)` : text)
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>`]+/gi, redactFoundUrl)
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${mark}`)
    .replace(/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, mark)
    .replace(/\b(token|secret|password|api_?key)=[^\s&"']+/gi, `$1=${mark}`);

/** Punctuation after a URL belongs to the sentence around it. */
const redactFoundUrl = (found: string): string => {
  const tail = /[).,;:\]]*$/.exec(found)?.[0] ?? "";
  const url = found.slice(0, found.length - tail.length);
  return (/[@?]/.test(url) ? redactUrl(url) : url) + tail;
};
