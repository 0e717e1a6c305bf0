import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
// @ts-expect-error s3rver has no types
import S3rver from "s3rver";

/** A running S3 server, with what a push job's destination needs to use it. */
export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Ends the server; removes its directory when it made it itself. */
  readonly close: () => Promise<void>;
}

interface Runnable {
  readonly run: () => Promise<AddressInfo>;
  readonly httpServer: Server;
}

/**
 * Starts a real S3 server (s3rver) with one bucket on a free loopback port. Objects are files in `directory`.
 *
 * It checks the access key and the clock, does multipart uploads and keeps metadata. It does not check SigV4 signatures
 * and ignores `If-None-Match`; and it answers a PUT when it has read the body, a moment before its file is whole.
 */
export const startS3Server = async (
  options: { readonly bucket?: string; readonly directory?: string } = {},
): Promise<S3Server> => {
  const bucket = options.bucket ?? "logs";
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "spillway-s3-")));
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    vhostBuckets: false,
    directory,
    configureBuckets: [{ name: bucket }],
  }) as Runnable;
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    bucket,
    // The one account that s3rver knows.
    accessKeyId: "S3RVER",
    secretAccessKey: "S3RVER",
    close: async () => {
      await new Promise<void>((resolve) => {
        server.httpServer.close(() => resolve());
        server.httpServer.closeAllConnections();
      });
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
};
