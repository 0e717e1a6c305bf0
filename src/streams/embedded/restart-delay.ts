const firstMillis = 100;
const lastMillis = 10_000;

/**
 * How long to wait before nats-server is started again after it ended `failures` times (1 or more) without having run
 * steadily in between: doubling, and then for ever at the maximum, because without it nothing works.
 */
export const restartDelayMillis = (failures: number): number =>
  Math.min(lastMillis, firstMillis * 2 ** Math.min(failures - 1, 16));
