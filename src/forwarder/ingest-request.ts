import type { IncomingMessage } from "node:http";
import type { Dataset } from "../domain/dataset.ts";
import { isId } from "../domain/ids.ts";
import { type BodyEncoding, bodyEncoding, tooLarge } from "./body.ts";
import { RequestRefused } from "./refusal.ts";

/** What the headers of an ingest request say, checked. */
export interface IngestRequest {
  readonly dataset: string;
  readonly encoding: BodyEncoding;
  readonly contentLength: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** One of the two is set. */
  readonly customer: string | undefined;
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

/** @throws RequestRefused that says what to do */
export const readHeaders = (
  request: IncomingMessage,
  dataset: string,
  known: Dataset | undefined,
  bodyBytesMax: number,
): IngestRequest => {
  if (!isId(dataset)) throw bad("bad_dataset", `The dataset ${idRule}.`);
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== undefined && !contentTypes.has(type)) {
    throw new RequestRefused(415, "unsupported_type", "Content-Type must be application/x-ndjson (or none).");
  }
  const encoding = bodyEncoding(request.headers["content-encoding"]);
  const length = request.headers["content-length"];
  const contentLength = length === undefined ? undefined : Number(length);
  if (contentLength !== undefined && contentLength > bodyBytesMax) throw tooLarge(bodyBytesMax, "body");
  const key = header(request, "idempotency-key");
  if (key !== undefined && !keyPattern.test(key)) {
    throw bad("bad_idempotency_key", "Idempotency-Key must be 1 to 200 letters, digits, '.', '_', '~' or '-'.");
  }
  return { dataset, encoding, contentLength, idempotencyKey: key, ...customerOf(request, known) };
};

const customerOf = (request: IncomingMessage, known: Dataset | undefined) => {
  const customer = header(request, "spillway-customer");
  if (customer !== undefined) {
    if (!isId(customer)) throw bad("bad_customer", `Spillway-Customer ${idRule}.`);
    return { customer, customerField: undefined };
  }
  const customerField = header(request, "spillway-customer-field") ?? known?.customerField;
  if (customerField === undefined || customerField === "") {
    throw bad(
      "no_customer",
      "Whose records are these? Name the customer in the header Spillway-Customer, or the field that names it in each record in Spillway-Customer-Field.",
    );
  }
  return { customer: undefined, customerField };
};

const idRule = "must be 1 to 64 letters, digits, '-' or '_', and must not begin with '_'";

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

const bad = (code: string, message: string) => new RequestRefused(400, code, message);
