import type { IncomingMessage } from "node:http";
import type { Dataset } from "../domain/dataset.ts";
import { isId } from "../domain/ids.ts";
import type { BodyEncoding } from "./inflate.ts";
import { bodyTooLarge, RequestRefused } from "./request-refused.ts";

/** What the request line and the headers of an ingest request say, checked. */
export interface IngestRequest {
  readonly dataset: string;
  readonly encoding: BodyEncoding;
  /** `Content-Length`; undefined when the body comes in pieces of unknown number. */
  readonly announcedBytes: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** Whose the whole body is; undefined when each record names its own customer. */
  readonly customer: string | undefined;
  /** The top-level field that names the customer of each record; undefined when `customer` is set. */
  readonly customerField: string | undefined;
}

const contentTypes = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/json",
  "application/octet-stream",
  "text/plain",
  // What curl says of --data-binary when nobody says anything.
  "application/x-www-form-urlencoded",
]);

const keyPattern = /^[A-Za-z0-9._~-]{1,200}$/;
const customerFieldBytesMax = 256;

export const readHeaders = (
  request: IncomingMessage,
  dataset: string,
  known: Dataset | undefined,
  bodyBytesMax: number,
): IngestRequest | RequestRefused => {
  if (!isId(dataset)) return bad("bad_dataset", `The dataset in the path ${idRule}.`);
  const type = request.headers["content-type"]?.split(";", 1)[0]!.trim().toLowerCase();
  if (type !== undefined && type !== "" && !contentTypes.has(type)) return unsupportedType;
  const encoding = bodyEncoding(request.headers["content-encoding"]);
  if (encoding === undefined) return unsupportedEncoding;
  const length = request.headers["content-length"];
  const announcedBytes = length === undefined ? undefined : Number(length);
  if (announcedBytes !== undefined && announcedBytes > bodyBytesMax) return bodyTooLarge(bodyBytesMax, "body");
  const key = header(request, "idempotency-key");
  if (key !== undefined && !keyPattern.test(key)) return badKey;
  const customer = header(request, "spillway-customer");
  if (customer !== undefined && !isId(customer)) return bad("bad_customer", `The header Spillway-Customer ${idRule}.`);
  const customerField = customer === undefined ? customerFieldOf(request, known) : undefined;
  if (customer === undefined && (customerField === undefined || customerField === "")) return noCustomer;
  if (customerField !== undefined && Buffer.byteLength(customerField) > customerFieldBytesMax) return longField;
  return { dataset, encoding, announcedBytes, idempotencyKey: key, customer, customerField };
};

/** What the sender says of this body comes before what the catalogue says of the dataset. */
const customerFieldOf = (request: IncomingMessage, known: Dataset | undefined): string | undefined =>
  header(request, customerFieldName) ?? queryValue(request.url ?? "", customerFieldName) ?? known?.customerField;

const customerFieldName = "spillway-customer-field";

const bodyEncoding = (value: string | undefined): BodyEncoding | undefined => {
  const name = value === undefined ? "" : value.trim().toLowerCase();
  if (name === "" || name === "identity") return "identity";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  return name === "zstd" ? "zstd" : undefined;
};

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** The first value of a query parameter, whatever the case of its name. */
const queryValue = (url: string, name: string): string | undefined => {
  const at = url.indexOf("?");
  if (at === -1) return undefined;
  for (const [key, value] of new URLSearchParams(url.slice(at))) if (key.toLowerCase() === name) return value;
  return undefined;
};

const idRule = "must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_'";

const bad = (code: string, message: string) => new RequestRefused(400, code, message);

const badKey = bad("bad_idempotency_key", "Idempotency-Key must be 1 to 200 letters, digits, '.', '_', '~' or '-'.");

const longField = bad(
  "bad_customer_field",
  `Spillway-Customer-Field must name a field in at most ${customerFieldBytesMax} bytes.`,
);

const noCustomer = bad(
  "no_customer",
  "Whose records are these? Name the customer in the header Spillway-Customer, or the field that names it in each record in Spillway-Customer-Field.",
);

const unsupportedType = new RequestRefused(
  415,
  "unsupported_type",
  "Content-Type must be application/x-ndjson (or none): one JSON object per line.",
);

const unsupportedEncoding = new RequestRefused(
  415,
  "unsupported_encoding",
  "Content-Encoding must be identity, gzip or zstd.",
);
