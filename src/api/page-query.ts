import { Schema } from "effect";
import { idPattern } from "../domain/ids.ts";

/** Most entries in one page of a list that is ordered by push job; as many are in it when nobody says how many. */
export const pageMax = 1_000;

/** The query of such a list. For callers `after` is opaque; it is the last id of the page before. */
export const pageQuery = {
  after: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(idPattern, { message: "after: must be the next of another page" })),
  ),
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: pageMax })),
  ),
};

/** What is asked of whoever makes the page. */
export interface PageRequest {
  readonly after?: string | undefined;
  readonly limit: number;
}
