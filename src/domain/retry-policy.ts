/** How long to wait before the next attempt of the same batch. Pure: the jitter is an input. */

export interface RetryPolicy {
  readonly baseMillis: number;
  readonly maxMillis: number;
}

/**
 * Full jitter: uniform in [0, min(max, base × 2^(attempt − 1))]. `Retry-After` is a floor, itself capped at an hour so
 * that a destination cannot park a job for ever. Rejections wait the maximum: they do not mend themselves.
 *
 * @param attempt 1-based number of the attempt that just failed
 * @param jitter uniform in [0, 1)
 */
export const retryDelayMillis = (
  policy: RetryPolicy,
  attempt: number,
  jitter: number,
  retryAfterMillis: number | undefined,
): number => {
  const ceiling = Math.min(policy.maxMillis, policy.baseMillis * 2 ** Math.min(attempt - 1, 30));
  const floor = Math.min(retryAfterMillis ?? 0, retryAfterCapMillis);
  return Math.max(floor, Math.floor(jitter * ceiling));
};

export const retryAfterCapMillis = 3_600_000;
