import type { GuardName } from "../domain/drill-state.ts";
import type { Drill } from "./drill.ts";

/** With all guards, without one after the other, without any: what each is good for, and all of them together. */
export const seriesOf = ({ guards }: Drill): ReadonlyArray<ReadonlyArray<GuardName>> => {
  const names = guards.map(({ name }) => name);
  return [[], ...names.map((name) => [name]), ...(names.length > 1 ? [names] : [])];
};

/** With all guards, without the first, without the first two, until none is left: which is the next to stop it. */
export const peeledSeriesOf = ({ guards }: Drill): ReadonlyArray<ReadonlyArray<GuardName>> => {
  const names = guards.map(({ name }) => name);
  return [[], ...names.map((_, at) => names.slice(0, at + 1))];
};
