import { rm } from "node:fs/promises";

/**
 * Removes a folder, though a process that has just been told to end may still write there: a nats-server, say, that
 * finds out that its node was killed.
 */
export const removeTree = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
