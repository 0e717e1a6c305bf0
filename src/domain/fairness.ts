/** Jain's index of shares that ought to be equal: 1 when they are, 1/n when one has everything; 1 for an empty list. */
export const jainIndex = (shares: ReadonlyArray<number>): number => {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
};
