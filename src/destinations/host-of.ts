import type { Destination } from "../domain/destination.ts";
import { deriveHttp } from "./http/settings.ts";
import { deriveS3 } from "./s3/settings.ts";

/** Bounds that no job can contradict, and every address: only the host is wanted. */
const anyLimits = {
  allowPrivateDestinations: true,
  pushMillisMax: Number.POSITIVE_INFINITY,
  pushStallMillisMax: Number.POSITIVE_INFINITY,
  multipartBytesMin: Number.POSITIVE_INFINITY,
};

/** The host that a destination's pushes go to, without opening it; the same as `OpenDestination.host`. */
export const hostOf = (destination: Destination): string => {
  if (destination.kind === "file") return "file";
  const derived = destination.kind === "http" ? deriveHttp(destination, anyLimits) : deriveS3(destination, anyLimits);
  return derived.ok ? derived.settings.host : destination.kind;
};
