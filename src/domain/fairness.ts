/** How evenly something is shared. Pure. */

/**
 * Jain's index: 1 when all have the same, 1/n when one has everything. Undefined without anything to compare: fewer
 * than two shares.
 *
 * @param shares what each got, divided by its weight; not negative
 */
export const jain = (shares: ReadonlyArray<number>): number | undefined => {
  if (shares.length < 2) return undefined;
  let sum = 0;
  let squares = 0;
  for (const share of shares) {
    sum += share;
    squares += share * share;
  }
  // Nobody got anything: all the same.
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
};

/**
 * Max-min fair shares: nobody gets more than it asks for, and what the modest leave is shared evenly by the others.
 *
 * @param demands what each asks for, in the unit of `capacity`
 */
export const maxMinShares = (demands: ReadonlyArray<number>, capacity: number): ReadonlyArray<number> => {
  const order = demands.map((_, index) => index).toSorted((one, other) => demands[one]! - demands[other]!);
  const shares = Array.from({ length: demands.length }, () => 0);
  let left = capacity;
  order.forEach((index, served) => {
    const share = Math.min(demands[index]!, left / (order.length - served));
    shares[index] = share;
    left -= share;
  });
  return shares;
};
