import { Effect } from "effect";
import { pageMax } from "./page-query.ts";

/** A page as its reader sees it. `next` is what the following page is asked for with. */
export interface AnsweredPage<A> {
  readonly items: ReadonlyArray<A>;
  readonly next?: string | number | undefined;
}

/** What is added to the query of a list to get one page of it. */
export type PageParameters = { readonly limit: string; readonly after?: string };

/**
 * Reads a list page by page, to its end or until `most` items are there; `more`: there are others.
 *
 * @param ask reads one page
 */
export const followPages = Effect.fnUntraced(function* <A, E, R>(
  ask: (parameters: PageParameters) => Effect.Effect<AnsweredPage<A>, E, R>,
  most = Number.POSITIVE_INFINITY,
) {
  const found: Array<A> = [];
  let after: string | undefined;
  // Ends because every page begins after the one before, and at `most` at the latest.
  for (;;) {
    const limit = String(Math.max(1, Math.min(pageMax, most - found.length)));
    const page: AnsweredPage<A> = yield* ask(after === undefined ? { limit } : { limit, after });
    found.push(...page.items);
    const next: string | undefined = page.next === undefined ? undefined : String(page.next);
    // A page that begins where it began would never end.
    if (next === undefined || next === after || found.length >= most) return { found, more: next !== undefined };
    after = next;
  }
});
