import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A small SCRIPTED S3 server, not a real one: it exists for what s3rver does not do, that is, to verify SigV4
 * signatures (with code of its own, from AWS's description), to honour `If-None-Match: *`, and to fail on demand.
 */
export interface S3Store {
  readonly endpoint: string;
  readonly objects: Map<string, { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> }>;
  /** Uploads that were created and neither completed nor aborted. */
  readonly uploads: ReadonlyMap<string, ReadonlyMap<number, Buffer>>;
  /** `PUT /bucket/key?query`, in order. */
  readonly requests: Array<string>;
  /** Answers instead of the store when it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean;
  readonly close: () => Promise<void>;
}

export const storeCredentials = { region: "eu-test-1", accessKeyId: "AKTEST", secretAccessKey: "S3cret/Key+x" };

export const startS3Store = async (): Promise<S3Store> => {
  const objects: S3Store["objects"] = new Map();
  const uploads = new Map<string, Map<number, Buffer>>();
  const metadata = new Map<string, Record<string, string>>();
  const requests: Array<string> = [];
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      requests.push(`${request.method} ${request.url}`);
      const wrong = signatureProblem(request, body);
      if (wrong !== undefined) return sendError(response, 403, "SignatureDoesNotMatch", wrong);
      if (!store.intercept(request, response, body)) answer(request, response, body);
    });
  });

  const answer = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const url = new URL(request.url ?? "", "http://store");
    const key = decodeURIComponent(url.pathname);
    const uploadId = url.searchParams.get("uploadId");
    const taken = request.headers["if-none-match"] === "*" && objects.has(key);
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => name.startsWith("x-amz-meta-") || name.startsWith("content-")),
    ) as Record<string, string>;
    if (request.method === "HEAD") {
      const found = objects.get(key);
      response.writeHead(found === undefined ? 404 : 200, found?.headers).end();
    } else if (request.method === "POST" && url.searchParams.has("uploads")) {
      const id = `up&load/${uploads.size + 1}`;
      uploads.set(id, new Map());
      metadata.set(id, headers);
      response.end(`<R><UploadId>${id.replace("&", "&amp;")}</UploadId></R>`);
    } else if (request.method === "DELETE" && uploadId !== null) {
      response.writeHead(uploads.delete(uploadId) ? 204 : 404).end();
    } else if (request.method === "PUT" && uploadId !== null) {
      uploads.get(uploadId)?.set(Number(url.searchParams.get("partNumber")), body);
      response.setHeader("ETag", etagOf(body)).end();
    } else if (taken) {
      sendError(response, 412, "PreconditionFailed");
    } else if (request.method === "POST" && uploadId !== null) {
      const parts = [...(uploads.get(uploadId) ?? [])]
        .toSorted(([one], [other]) => one - other)
        .map(([, part]) => part);
      const listed = [...body.toString().matchAll(/<ETag>([^<]*)<\/ETag>/g)].map(([, etag]) =>
        etag?.replaceAll("&#34;", '"'),
      );
      if (listed.join() !== parts.map(etagOf).join()) return sendError(response, 400, "InvalidPart");
      objects.set(key, { body: Buffer.concat(parts), headers: metadata.get(uploadId) ?? {} });
      uploads.delete(uploadId);
      response.end(`<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>`);
    } else if (request.method === "PUT") {
      objects.set(key, { body, headers });
      response.setHeader("ETag", etagOf(body)).end();
    } else {
      sendError(response, 400, "InvalidRequest");
    }
  };

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store: S3Store = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    uploads,
    requests,
    intercept: () => false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return store;
};

export const sendError = (response: ServerResponse, status: number, code: string, message = "no"): void => {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
};

const etagOf = (body: Buffer): string => `"${createHash("md5").update(body).digest("hex")}"`;

/** Verifies SigV4 in the header form, from the raw request. */
const signatureProblem = (request: IncomingMessage, body: Buffer): string | undefined => {
  const header = request.headers.authorization ?? "";
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8}\/[^/]+\/s3\/aws4_request), SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      header,
    );
  if (match === null) return "no AWS4 signature";
  const [, accessKeyId, scope = "", signedHeaders = "", signature] = match;
  if (accessKeyId !== storeCredentials.accessKeyId) return "unknown key";
  const payload = String(request.headers["x-amz-content-sha256"]);
  if (payload !== "UNSIGNED-PAYLOAD" && payload !== sha256(body)) return "another body was signed";
  for (const needed of ["host", "x-amz-date", "x-amz-content-sha256"]) {
    if (!signedHeaders.split(";").includes(needed)) return `${needed} is not signed`;
  }
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const canonical = [
    request.method,
    path,
    query.split("&").toSorted().join("&"),
    ...signedHeaders.split(";").map((name) => `${name}:${String(request.headers[name]).trim()}`),
    "",
    signedHeaders,
    payload,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = scope
    .split("/")
    .reduce<Buffer | string>(
      (secret, part) => createHmac("sha256", secret).update(part).digest(),
      `AWS4${storeCredentials.secretAccessKey}`,
    );
  return createHmac("sha256", key).update(text).digest("hex") === signature ? undefined : "another signature";
};

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
