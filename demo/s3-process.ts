/** A process of its own for the S3 server, so that its CPU is not mistaken for Spillway's. Tells where it listens. */
import { startS3Server } from "./s3-server.ts";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: s3-process.ts DIRECTORY");

// Ctrl-C reaches the whole terminal group; the parent says when to go, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
const { close: _, ...s3 } = await startS3Server({ directory });
process.send?.(s3);
