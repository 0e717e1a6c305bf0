import type { ConfigStatus } from "./config-report.ts";

/** Hash of the snapshot that a node is told to serve: during a rollout named nodes may be ahead of the others. */
export const hashToldTo = (
  { inForce, rollout }: Pick<ConfigStatus, "inForce" | "rollout">,
  node: string,
): string | undefined => (rollout.canary?.nodes.includes(node) === true ? rollout.canary.hash : inForce?.hash);
