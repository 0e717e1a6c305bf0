import { Result } from "effect";
import { type Destination, redactDestination, redactUrl } from "../domain/destination.ts";
import type { PushJob } from "../domain/push-job.ts";
import type { Problem } from "./problem.ts";

/** What stands where a secret was. As input it means "keep the secret that is stored". */
const redactedMark = "[redacted]";

/** The job as it may be shown: every secret of its destination replaced. */
export const redactJob = (job: PushJob): PushJob => ({ ...job, destination: redactDestination(job.destination) });

/**
 * Puts the stored secrets back where `incoming` says "[redacted]", so that what was shown can be changed and sent back.
 *
 * A secret goes only where it already went: with another kind, host or endpoint it must be given anew, or whoever may
 * change jobs could have it sent to themselves. Without a stored job every mark is a problem.
 */
export const restoreRedacted = (
  incoming: PushJob,
  stored: PushJob | undefined,
): Result.Result<PushJob, ReadonlyArray<Problem>> => {
  const before = stored?.destination;
  const restored = restore(incoming.destination, before);
  return restored.problems.length > 0
    ? Result.fail(restored.problems)
    : Result.succeed({ ...incoming, destination: restored.destination });
};

interface Restored {
  readonly destination: Destination;
  readonly problems: ReadonlyArray<Problem>;
}

const restore = (incoming: Destination, stored: Destination | undefined): Restored => {
  if (incoming.kind === "http") return restoreHttp(incoming, stored?.kind === "http" ? stored : undefined);
  if (incoming.kind === "s3") return restoreS3(incoming, stored?.kind === "s3" ? stored : undefined);
  return { destination: incoming, problems: [] };
};

type Http = Extract<Destination, { kind: "http" }>;
type S3 = Extract<Destination, { kind: "s3" }>;

const restoreHttp = (incoming: Http, stored: Http | undefined): Restored => {
  const url = restoreUrl("url", incoming.url, stored?.url);
  const problems: Array<Problem> = [...url.problems];
  const sameHost = stored !== undefined && originOf(stored.url) === originOf(incoming.url);
  const storedHeaders = new Map(
    Object.entries(stored?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const headers = Object.entries(incoming.headers ?? {}).map(([name, value]): readonly [string, string] => {
    if (value !== redactedMark) return [name, value];
    const kept = sameHost ? (stored.headers?.[name] ?? storedHeaders.get(name.toLowerCase())) : undefined;
    if (kept === undefined) problems.push(cannotKeep(["destination", "headers", name]));
    return [name, kept ?? value];
  });
  const destination = { ...incoming, url: url.text };
  return {
    destination:
      incoming.headers === undefined ? destination : { ...destination, headers: Object.fromEntries(headers) },
    problems,
  };
};

const restoreS3 = (incoming: S3, stored: S3 | undefined): Restored => {
  const endpoint = restoreUrl("endpoint", incoming.endpoint, stored?.endpoint);
  const problems: Array<Problem> = [...endpoint.problems];
  const sameHost = stored !== undefined && originOf(stored.endpoint) === originOf(incoming.endpoint);
  const keep = (name: "accessKeyId" | "secretAccessKey" | "sessionToken", value: string): string => {
    if (value !== redactedMark) return value;
    const kept = sameHost ? stored[name] : undefined;
    if (kept === undefined) problems.push(cannotKeep(["destination", name]));
    return kept ?? value;
  };
  const destination = {
    ...incoming,
    endpoint: endpoint.text,
    accessKeyId: keep("accessKeyId", incoming.accessKeyId),
    secretAccessKey: keep("secretAccessKey", incoming.secretAccessKey),
  };
  const { sessionToken } = incoming;
  return {
    destination:
      sessionToken === undefined ? destination : { ...destination, sessionToken: keep("sessionToken", sessionToken) },
    problems,
  };
};

const restoreUrl = (
  name: "url" | "endpoint",
  incoming: string,
  stored: string | undefined,
): { readonly text: string; readonly problems: ReadonlyArray<Problem> } => {
  if (stored !== undefined && incoming === redactUrl(stored)) return { text: stored, problems: [] };
  if (!URL.canParse(incoming)) return { text: incoming, problems: [] };
  const url = new URL(incoming);
  const marks = { user: isMark(url.username) || isMark(url.password), query: isMark(url.search.slice(1)) };
  if (!marks.user && !marks.query) return { text: incoming, problems: [] };
  const from = stored !== undefined && originOf(stored) === url.origin ? new URL(stored) : undefined;
  const hasThem =
    from !== undefined && (!marks.user || from.username + from.password !== "") && (!marks.query || from.search !== "");
  if (!hasThem) return { text: incoming, problems: [cannotKeep(["destination", name])] };
  if (marks.user) {
    url.username = from.username;
    url.password = from.password;
  }
  if (marks.query) url.search = from.search;
  return { text: url.href, problems: [] };
};

/** A URL may have come back with the brackets percent-encoded. */
const isMark = (text: string): boolean => text.replaceAll(/%5B/gi, "[").replaceAll(/%5D/gi, "]") === redactedMark;

const originOf = (text: string): string | undefined => (URL.canParse(text) ? new URL(text).origin : undefined);

const cannotKeep = (path: ReadonlyArray<string | number>): Problem => ({
  path,
  message: `is ${redactedMark}, but there is no secret stored for this destination to keep: give it anew`,
});
