/** What a snapshot keeps of a job that was removed: when, and its last settings, so that it can be given its grace. */
export interface Removal {
  /** Epoch millis at which it was first left out. */
  readonly millis: number;
  /** The job as it was stored last; empty: nobody had it. It may hold secrets. */
  readonly last: Uint8Array;
}

const headBytes = 8;

export const encodeRemoval = ({ last, millis }: Removal): Uint8Array => {
  const data = Buffer.allocUnsafe(headBytes + last.length);
  data.writeDoubleLE(millis, 0);
  data.set(last, headBytes);
  return data;
};

/** Undefined: nothing is known of it. */
export const decodeRemoval = (data: Uint8Array): Removal | undefined => {
  if (data.length < headBytes) return undefined;
  const millis = Buffer.from(data.buffer, data.byteOffset, data.length).readDoubleLE(0);
  return Number.isFinite(millis) ? { millis, last: data.subarray(headBytes) } : undefined;
};
