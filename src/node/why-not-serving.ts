import type { NodeConfiguration } from "./served-jobs.ts";

/** Why this node has no configuration, for those whom it refuses: a few words. */
export const whyNotServing = ({
  follower,
  openings,
}: Pick<NodeConfiguration["Service"], "follower" | "openings">): string => {
  const refused = follower.refused();
  if (refused !== undefined) return `it refuses snapshot ${refused.number} (${refused.rule}): ${refused.message}`;
  const closed = openings.flatMap(({ name, problem }) => {
    const detail = problem();
    return detail === undefined ? [] : [`${name}: ${detail}`];
  });
  if (closed.length > 0) return `stores that are not open yet: ${closed.join("; ")}`;
  const silence = follower.silence();
  if (silence !== undefined) return `the configuration cannot be read: ${silence}`;
  return "none was ever rolled out";
};
