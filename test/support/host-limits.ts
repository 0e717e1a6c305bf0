import type { DestinationHostsOptions } from "../../src/actors/destination-host/destination-hosts.ts";

/** So short and so few that a short run reaches each of them. */
export const hostLimits: DestinationHostsOptions = {
  pushesInFlightMax: 8,
  slowPushesInFlightMax: 8,
  pushSlowMillis: 2_000,
  pushesPerHostMax: 8,
  pushesPerHostFirst: 4,
  circuitFailuresMax: 5,
  circuitOpenMillisFirst: 200,
  circuitOpenMillisMax: 1_000,
};
