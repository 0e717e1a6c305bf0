import { isId } from "../domain/ids.ts";
import { batchBounds, type PushJob } from "../domain/push-job.ts";

const jobNames: ReadonlySet<string> = new Set(["id", "customer", "dataset", "enabled", "destination", "batch"]);

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isIdText = (value: unknown): boolean => typeof value === "string" && isId(value);
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/**
 * Whether this is a push job with nothing special in it, told at a small part of what the schema takes: a node that
 * starts reads a million of them. What it says yes to the schema admits, as it is; a no says nothing.
 */
export const isPlainJob = (value: unknown): value is PushJob => {
  if (!isObject(value)) return false;
  let members = 0;
  for (const name in value) {
    if (!jobNames.has(name)) return false;
    members += 1;
  }
  return (
    members === jobNames.size &&
    isIdText(value["id"]) &&
    isIdText(value["customer"]) &&
    isIdText(value["dataset"]) &&
    typeof value["enabled"] === "boolean" &&
    isPlainDestination(value["destination"]) &&
    isBatch(value["batch"])
  );
};

const isPlainDestination = (value: unknown): boolean => {
  if (!isObject(value)) return false;
  const names = Object.keys(value);
  if (value["kind"] === "file") return names.length === 2 && isText(value["path"]);
  if (value["kind"] !== "http" || !isText(value["url"])) return false;
  if (names.length === 2) return true;
  const headers = value["headers"];
  return names.length === 3 && isObject(headers) && Object.values(headers).every((each) => typeof each === "string");
};

const isBatch = (value: unknown): boolean => {
  if (!isObject(value) || Object.keys(value).length !== 3) return false;
  for (const name of ["maxBytes", "maxRecords", "maxIntervalSeconds"] as const) {
    const number = value[name];
    const { maximum, minimum } = batchBounds[name];
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < minimum || number > maximum) {
      return false;
    }
  }
  return true;
};
