import { AwsClient } from "aws4fetch";
import type { S3Server } from "../s3-server.ts";
import { orderOfBatchId, orderOfObjectKey, type ReadBatches, type StoredBatch } from "./stored-batch.ts";

/** Batches of `s3` destinations: every object below a customer's prefix, listed and fetched with signed requests. */
export const readObjects = (s3: Omit<S3Server, "close">): ReadBatches => {
  const { accessKeyId, bucket, endpoint, region, secretAccessKey } = s3;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3", retries: 3 });
  const base = `${endpoint}/${bucket}`;

  /** A page of at most 1,000 keys after `marker`; the first version of the call, which every store knows. */
  const page = async (prefix: string, marker: string): Promise<ReadonlyArray<string>> => {
    const query = new URLSearchParams({ prefix, marker, "max-keys": "1000" });
    const response = await client.fetch(`${base}?${query.toString()}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`S3 does not list ${prefix}: ${response.status} ${text.slice(0, 200)}`);
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => unescapeXml(key as string));
  };

  const keysOf = async (prefix: string): Promise<ReadonlyArray<string>> => {
    const keys: Array<string> = [];
    for (let found = await page(prefix, ""); found.length > 0; found = await page(prefix, keys.at(-1) as string)) {
      keys.push(...found);
    }
    return keys;
  };

  const fetchObject = async (key: string): Promise<StoredBatch> => {
    const response = await client.fetch(`${base}/${key.split("/").map(encodeURIComponent).join("/")}`);
    if (!response.ok) throw new Error(`S3 does not give ${key}: ${response.status}`);
    const id = response.headers.get("x-amz-meta-spillway-batch");
    return {
      name: key,
      order: id === null ? orderOfObjectKey(key) : orderOfBatchId(id),
      gzip: Buffer.from(await response.arrayBuffer()),
    };
  };

  return async (customer) => {
    const batches: Array<StoredBatch> = [];
    for (const key of await keysOf(`${customer}/`)) batches.push(await fetchObject(key));
    return batches;
  };
};

const unescapeXml = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
