import type { Destination } from "../../src/domain/destination.ts";
import { CustomerId, DatasetName, PushJobId } from "../../src/domain/ids.ts";
import { batchDefaults, type PushJob } from "../../src/domain/push-job.ts";

/** A push job of which only the destination matters. */
export const jobTo = (destination: Destination): PushJob => ({
  id: PushJobId.make("job-1"),
  customer: CustomerId.make("customer-1"),
  dataset: DatasetName.make("http_requests"),
  enabled: true,
  destination,
  batch: batchDefaults,
});
