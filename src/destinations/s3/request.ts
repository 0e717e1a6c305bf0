import { AwsV4Signer } from "aws4fetch";
import { createHash } from "node:crypto";
import { type PushRequest, uniquePartOf } from "../../actors/ports/destinations.ts";
import { compactTime, objectKey } from "../../domain/batch.ts";
import { joinBody } from "../body.ts";
import { answerBytesMax, type ExchangeRequest } from "../exchange.ts";
import type { S3Settings } from "./settings.ts";

/** One request to the store before it is signed. */
export interface S3Request {
  readonly method: ExchangeRequest["method"];
  readonly key: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ReadonlyArray<Uint8Array>;
  readonly bodyBytes: number;
}

/** Which batch an object holds; compared when the key is taken. */
export const batchHeader = "x-amz-meta-spillway-batch";

export const s3Key = (settings: S3Settings, request: PushRequest): string =>
  objectKey(settings.path, request.batch, uniquePartOf(request));

/** What every write of an object says about it. The object is a gzip file, so gzip is its type, not its encoding. */
const objectHeaders = (request: PushRequest): Readonly<Record<string, string>> => ({
  "content-type": "application/gzip",
  [batchHeader]: request.batchId,
  "x-amz-meta-spillway-records": String(request.batch.records),
  "x-amz-meta-spillway-bytes": String(request.batch.bytes),
  ...(request.replay === true ? { "x-amz-meta-spillway-replay": "true" } : {}),
});

const noBody = { body: [], bodyBytes: 0 } as const;

const onlyIfAbsent = (conditional: boolean): Readonly<Record<string, string>> =>
  conditional ? { "if-none-match": "*" } : {};

export const putObject = (key: string, request: PushRequest, conditional: boolean): S3Request => ({
  method: "PUT",
  key,
  query: {},
  headers: { ...objectHeaders(request), ...onlyIfAbsent(conditional) },
  body: request.body,
  bodyBytes: request.bodyBytes,
});

export const headObject = (key: string): S3Request => ({ method: "HEAD", key, query: {}, headers: {}, ...noBody });

export const createUpload = (key: string, request: PushRequest): S3Request => ({
  method: "POST",
  key,
  query: { uploads: "" },
  headers: objectHeaders(request),
  ...noBody,
});

export const uploadPart = (
  key: string,
  uploadId: string,
  part: { readonly number: number; readonly body: ReadonlyArray<Uint8Array>; readonly bodyBytes: number },
): S3Request => ({
  method: "PUT",
  key,
  query: { partNumber: String(part.number), uploadId },
  headers: {},
  body: part.body,
  bodyBytes: part.bodyBytes,
});

export const completeUpload = (
  key: string,
  uploadId: string,
  etags: ReadonlyArray<string>,
  conditional: boolean,
): S3Request => {
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
  );
  const xml = Buffer.from(
    `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`,
  );
  return {
    method: "POST",
    key,
    query: { uploadId },
    headers: { "content-type": "application/xml", ...onlyIfAbsent(conditional) },
    body: [xml],
    bodyBytes: xml.byteLength,
  };
};

export const abortUpload = (key: string, uploadId: string): S3Request => ({
  method: "DELETE",
  key,
  query: { uploadId },
  headers: {},
  ...noBody,
});

const escapeXml = (text: string): string => text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** RFC 3986's unreserved characters stay; what SigV4's canonical form wants, byte for byte. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

const encodeKey = (key: string): string => key.split("/").map(encode).join("/");

/** Signing keys by day; aws4fetch fills it. */
export type SigningKeys = Map<string, ArrayBuffer>;

/** Signs a request with SigV4. */
export const signRequest = async (
  settings: S3Settings,
  keys: SigningKeys,
  request: S3Request,
  nowMillis: number,
): Promise<ExchangeRequest> => {
  // A day's key replaces the former day's: the map must not grow with time.
  if (keys.size > 2) keys.clear();
  const query = Object.entries(request.query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  const path = `${settings.basePath}${encodeKey(request.key)}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const signed = await new AwsV4Signer({
    method: request.method,
    url: `${settings.origin}${path}`,
    headers: {
      ...request.headers,
      "x-amz-content-sha256": settings.signsBody ? sha256(request.body) : "UNSIGNED-PAYLOAD",
    },
    accessKeyId: settings.accessKeyId,
    secretAccessKey: settings.secretAccessKey,
    ...(settings.sessionToken === undefined ? {} : { sessionToken: settings.sessionToken }),
    service: "s3",
    region: settings.region,
    cache: keys,
    datetime: compactTime(nowMillis),
  }).sign();
  const hasBody = request.method === "PUT" || request.method === "POST";
  return {
    origin: settings.origin,
    method: request.method,
    path,
    headers: [
      ...[...signed.headers].flat(),
      "user-agent",
      "Spillway",
      ...(hasBody ? ["content-length", String(request.bodyBytes)] : []),
    ],
    body: request.bodyBytes === 0 ? undefined : joinBody(request.body, request.bodyBytes),
    answerBytesKept: request.method === "HEAD" ? 0 : answerBytesMax,
  };
};

const sha256 = (body: ReadonlyArray<Uint8Array>): string => {
  const hash = createHash("sha256");
  for (const member of body) hash.update(member);
  return hash.digest("hex");
};
