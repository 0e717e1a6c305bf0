import { describe, it } from "@effect/vitest";
import { Effect, type Scope } from "effect";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startS3Server } from "../../demo/s3-server.ts";
import { conformanceCases, type ConformanceWorld } from "../../src/destinations/conformance.ts";
import type { S3Destination } from "../../src/domain/destination.ts";
import { openDestination } from "../destinations/open-destination.ts";
import { startS3Store, storeCredentials } from "../support/s3-store.ts";
import { removeTree } from "../support/remove-tree.ts";

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "spillway-conformance-"))),
  (folder) => Effect.promise(() => removeTree(folder)),
);

const httpServer = (answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("error", () => {});
        request.on("end", () => answer(request, response, Buffer.concat(chunks)));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    }),
    ({ server }) => Effect.promise(() => closeServer(server)),
  );

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** A server that takes requests and never answers. */
const silentServer = Effect.gen(function* () {
  const reached = Promise.withResolvers<void>();
  let connections = 0;
  const { server, url } = yield* httpServer(() => reached.resolve());
  server.on("connection", (socket) => {
    connections += 1;
    socket.on("close", () => (connections -= 1));
  });
  return {
    url,
    underway: Effect.promise(() => reached.promise),
    abandoned: Effect.sync(() => connections === 0),
  };
});

const refusing = "http://127.0.0.1:1";

const fileWorld = Effect.gen(function* () {
  const root = yield* temporaryFolder;
  const slowRoot = yield* temporaryFolder;
  writeFileSync(join(slowRoot, "file"), "");
  return {
    working: openDestination({ kind: "file", path: `${root}/{DATE}` }),
    stored: Effect.sync(
      () =>
        new Map(readdirSync(join(root, "20241114")).map((name) => [name, readFileSync(join(root, "20241114", name))])),
    ),
    failing: [
      {
        name: "a path below a file",
        open: openDestination({ kind: "file", path: `${slowRoot}/file/x` }),
        tag: "Rejected",
        reason: "invalid-settings",
      },
      {
        name: "a path that is no path",
        open: openDestination({ kind: "file", path: "a\u0000b" }),
        tag: "Rejected",
        reason: "invalid-settings",
      },
    ],
    slow: {
      open: openDestination({ kind: "file", path: `${slowRoot}/slow` }),
      underway: Effect.void,
      // Whole or not at all, and no temporary.
      abandoned: Effect.sync(() =>
        readdirSync(slowRoot, { recursive: true }).every((name) => !String(name).includes("spillway-part")),
      ),
    },
    secrets: [],
  } satisfies ConformanceWorld;
});

/** A URL with secrets in every place that may hold one. */
const secret = (url: string) => `${url.replace("http://", "http://us3r:passw0rd@")}/in?token=t0ken`;

const httpWorld = Effect.gen(function* () {
  // A receiver that does what Idempotency-Key is for.
  const stored = new Map<string, Buffer>();
  const working = yield* httpServer((request, response, body) => {
    const key = String(request.headers["idempotency-key"]);
    if (!stored.has(key)) stored.set(key, body);
    response.end();
  });
  const echoing = yield* httpServer((request, response, body) => {
    response.writeHead(500).end(`${request.headers.authorization} ${request.url} ${body.toString("latin1")}`);
  });
  const silent = yield* silentServer;
  const settings = { kind: "http", headers: { "X-Key": "h3ader" } } as const;
  return {
    working: openDestination({ ...settings, url: secret(working.url) }),
    stored: Effect.sync(() => stored),
    failing: [
      {
        name: "500",
        open: openDestination({ ...settings, url: secret(echoing.url) }),
        tag: "Deferred",
        reason: "server-error",
      },
      {
        name: "a closed port",
        open: openDestination({ ...settings, url: secret(refusing) }),
        tag: "Deferred",
        reason: "connection-refused",
      },
      {
        name: "no URL",
        open: openDestination({ ...settings, url: "us3r:passw0rd" }),
        tag: "Rejected",
        reason: "invalid-settings",
      },
      {
        name: "an inside address",
        open: openDestination({ ...settings, url: secret(working.url) }, { allowPrivateDestinations: false }),
        tag: "Rejected",
        reason: "blocked-address",
      },
      {
        name: "a silent server",
        open: openDestination({ ...settings, url: secret(silent.url) }, { pushMillisMax: 200 }),
        tag: "Deferred",
        reason: "timeout",
      },
    ],
    slow: { ...silent, open: openDestination({ ...settings, url: secret(silent.url) }) },
    secrets: ["us3r", "passw0rd", "t0ken", "h3ader"],
  } satisfies ConformanceWorld;
});

/** What s3rver holds, read back through its own HTTP interface, which lets anonymous readers in. */
const objectsOf = (endpoint: string, bucket: string) =>
  Effect.promise(async () => {
    const list = await (await fetch(`${endpoint}/${bucket}`)).text();
    const keys = [...list.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key ?? "");
    const bodies = keys.map(async (key) => {
      const body = Buffer.from(await (await fetch(`${endpoint}/${bucket}/${key}`)).arrayBuffer());
      return [key, body] as const;
    });
    return new Map(await Promise.all(bodies));
  });

const s3World = (multipartBytesMin: number) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startS3Server()),
      ({ close }) => Effect.promise(close),
    );
    const strict = yield* Effect.acquireRelease(Effect.promise(startS3Store), ({ close }) => Effect.promise(close));
    const silent = yield* silentServer;
    const settings: S3Destination = { kind: "s3", ...server, path: "x/{DATE}", sessionToken: "t0ken" };
    const open = (changed: Partial<S3Destination> = {}) =>
      openDestination({ ...settings, ...changed }, { multipartBytesMin });
    return {
      working: open(),
      stored: objectsOf(server.endpoint, server.bucket),
      failing: [
        { name: "an unknown key", open: open({ accessKeyId: "unknown-k3y" }), tag: "Rejected", reason: "unauthorised" },
        { name: "no bucket", open: open({ bucket: "nowhere" }), tag: "Rejected", reason: "not-found" },
        { name: "a closed port", open: open({ endpoint: refusing }), tag: "Deferred", reason: "connection-refused" },
        {
          name: "a wrong secret",
          open: open({ endpoint: strict.endpoint, ...storeCredentials, secretAccessKey: "wr0ng" }),
          tag: "Rejected",
          reason: "unauthorised",
        },
      ],
      slow: { ...silent, open: open({ endpoint: silent.url }) },
      secrets: [server.secretAccessKey, "unknown-k3y", "t0ken", "wr0ng", storeCredentials.accessKeyId],
    } satisfies ConformanceWorld;
  });

const kinds: ReadonlyArray<readonly [string, Effect.Effect<ConformanceWorld, never, Scope.Scope>]> = [
  ["file", fileWorld],
  ["http", httpWorld],
  ["s3 (s3rver)", s3World(16_777_216)],
  ["s3 in parts (s3rver)", s3World(1)],
];

describe.each(kinds)("a destination of kind %s", (_, world) => {
  for (const { name, run } of conformanceCases) {
    it.live(name, () => Effect.flatMap(world, run));
  }
});
