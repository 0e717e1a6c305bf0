import type { Desk } from "./desk.ts";

/**
 * Why nothing can go to these nodes first, for people; undefined: it can.
 *
 * @param steady the steady clock's time: only who has reported lately is alive
 */
export const canaryProblem = (desk: Desk, names: ReadonlyArray<string>, steady: number): string | undefined => {
  const { published } = desk.state;
  if (published === null)
    return "No configuration is in force yet that the other nodes could serve meanwhile: name no nodes.";
  const live = desk.reports.live(steady);
  const alive = live.map(({ node }) => node).toSorted();
  for (const name of names) {
    const report = live.find(({ node }) => node === name);
    if (report === undefined) return `No node ${name} has reported lately. These have: ${alive.join(", ") || "none"}.`;
    if (report.serves?.hash !== published.hash) {
      const why = report.refused === null ? "" : `: it refuses ${report.refused.number} (${report.refused.rule})`;
      return `The node ${name} does not serve what is in force${why}. Nothing could be compared on it.`;
    }
  }
  return alive.every((name) => names.includes(name))
    ? "These are all the nodes that are alive: a canary is some of them. Name fewer, or none."
    : undefined;
};
