import { Schema } from "effect";

/**
 * A local directory: one file per batch, appearing whole or not at all. `{DATE}` in the path is the batch's UTC day.
 */
export const FileDestination = Schema.Struct({
  kind: Schema.Literal("file"),
  /** Absolute, or relative to the directory of the jobs file or of the `spillway` command that stored it. */
  path: Schema.NonEmptyString,
});
export type FileDestination = typeof FileDestination.Type;

/** `POST` of each batch to one URL. */
export const HttpDestination = Schema.Struct({
  kind: Schema.Literal("http"),
  url: Schema.NonEmptyString,
  /** Sent as they are. Values are secrets: redacted wherever a job is shown. */
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  /** From the first byte sent to the last byte of the answer. */
  timeoutSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 }))),
});
export type HttpDestination = typeof HttpDestination.Type;

/** Any S3-compatible object store. */
export const S3Destination = Schema.Struct({
  kind: Schema.Literal("s3"),
  /** Such as `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: Schema.NonEmptyString,
  region: Schema.NonEmptyString,
  bucket: Schema.NonEmptyString,
  /** Prefix of every key; `{DATE}` is the batch's UTC day. */
  path: Schema.optionalKey(Schema.String),
  accessKeyId: Schema.NonEmptyString,
  secretAccessKey: Schema.NonEmptyString,
  sessionToken: Schema.optionalKey(Schema.String),
  /** `https://endpoint/bucket/key` (default) or `https://bucket.endpoint/key`. */
  pathStyle: Schema.optionalKey(Schema.Boolean),
  timeoutSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 }))),
});
export type S3Destination = typeof S3Destination.Type;

export const Destination = Schema.Union([FileDestination, HttpDestination, S3Destination]);
export type Destination = typeof Destination.Type;
export type DestinationKind = Destination["kind"];

const redactedMark = "[redacted]";

/** The same settings with every secret replaced: credentials, header values, userinfo and query of a URL. */
export const redactDestination = (destination: Destination): Destination => {
  switch (destination.kind) {
    case "file":
      return destination;
    case "http":
      return {
        ...destination,
        url: redactUrl(destination.url),
        ...(destination.headers === undefined
          ? {}
          : { headers: Object.fromEntries(Object.keys(destination.headers).map((name) => [name, redactedMark])) }),
      };
    case "s3":
      return {
        ...destination,
        endpoint: redactUrl(destination.endpoint),
        accessKeyId: redactedMark,
        secretAccessKey: redactedMark,
        ...(destination.sessionToken === undefined ? {} : { sessionToken: redactedMark }),
      };
  }
};

/**
 * A URL with userinfo and query replaced, fit for logs and answers. What was there still shows, for a PUT to keep it.
 */
export const redactUrl = (text: string): string => {
  if (!URL.canParse(text)) return redactedMark;
  const url = new URL(text);
  const userinfo = url.username === "" && url.password === "" ? "" : `${redactedMark}@`;
  const query = url.search === "" ? "" : `?${redactedMark}`;
  return `${url.protocol}//${userinfo}${url.host}${url.pathname}${query}`;
};
