import { redact } from "../redaction.ts";

/**
 * An event, a context or an action's parameters as a watcher may see them. What `redact` removes from logs is removed
 * here too; of a thrown error only its name is left, because its message may quote what it choked on, a record even.
 */
export const redactPayload = (value: unknown): unknown => redact(withoutCauses(value, 0));

/** Deeper than any event or context of ours. `redact` cuts off what is deeper still. */
const depthMax = 6;

const withoutCauses = (value: unknown, depth: number): unknown => {
  if (value instanceof Error) return nameOf(value);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || depth >= depthMax) return value;
  if (Array.isArray(value)) return value.map((item) => withoutCauses(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === "cause" || key === "error" ? nameOf(item) : withoutCauses(item, depth + 1),
    ]),
  );
};

const nameOf = (cause: unknown): unknown =>
  cause === undefined || cause === null ? cause : `[${cause instanceof Error ? cause.name : typeof cause}]`;
