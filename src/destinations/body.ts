/** Up to here one copy is cheaper than several writes. */
const concatBytesMax = 1_048_576;

/**
 * A batch's members as undici and the file system take them: one run of bytes, or, when copying would cost more, the
 * list itself, which both write piece by piece under back-pressure.
 */
export const joinBody = (members: ReadonlyArray<Uint8Array>, bytes: number): Uint8Array | ReadonlyArray<Uint8Array> => {
  const [only] = members;
  if (members.length === 1 && only !== undefined) return only;
  return bytes <= concatBytesMax ? Buffer.concat(members, bytes) : members;
};

/** The bytes of `[from, to)` of the concatenated members, without copying. */
export const sliceBody = (members: ReadonlyArray<Uint8Array>, from: number, to: number): ReadonlyArray<Uint8Array> => {
  const slices: Array<Uint8Array> = [];
  let start = 0;
  for (const member of members) {
    const end = start + member.byteLength;
    if (end > from && start < to) slices.push(member.subarray(Math.max(0, from - start), Math.min(end, to) - start));
    start = end;
  }
  return slices;
};
