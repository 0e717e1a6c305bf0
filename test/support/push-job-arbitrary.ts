import * as fc from "fast-check";
import type { PushJob } from "../../src/domain/push-job.ts";

const id = fc.stringMatching(/^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$/);
const secret = fc.string({ minLength: 1, maxLength: 20 });
const url = fc.webUrl({ withQueryParameters: true });
const timeoutSeconds = fc.integer({ min: 1, max: 300 });

const destination = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path: fc.string({ minLength: 1 }).map((path) => `/${path}`) }),
  fc.record(
    { kind: fc.constant("http" as const), url, headers: fc.dictionary(id, secret), timeoutSeconds },
    { requiredKeys: ["kind", "url"] },
  ),
  fc.record(
    {
      kind: fc.constant("s3" as const),
      endpoint: fc.webUrl(),
      region: id,
      bucket: id,
      path: fc.string(),
      accessKeyId: secret,
      secretAccessKey: secret,
      sessionToken: secret,
      pathStyle: fc.boolean(),
      timeoutSeconds,
    },
    { requiredKeys: ["kind", "endpoint", "region", "bucket", "accessKeyId", "secretAccessKey"] },
  ),
);

/** Any push job that the schema admits. */
export const anyPushJob = fc.record({
  id,
  customer: id,
  dataset: id,
  enabled: fc.boolean(),
  destination,
  batch: fc.record({
    maxBytes: fc.integer({ min: 1_000_000, max: 100_000_000 }),
    maxRecords: fc.integer({ min: 1_000, max: 1_000_000 }),
    maxIntervalSeconds: fc.integer({ min: 1, max: 300 }),
  }),
}) as unknown as fc.Arbitrary<PushJob>;
