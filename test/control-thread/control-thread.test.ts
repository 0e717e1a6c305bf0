import { assert, describe, it } from "@effect/vitest";
import { Effect, Redacted } from "effect";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { startControlThread } from "../../src/control-thread/control-thread.ts";
import type { Limits } from "../../src/domain/limits.ts";
import { aJob, echoIngest, FakeNode, startApi } from "../api/fake-node.ts";
import { ask, type AskOptions } from "./blocked-world.ts";

const { limits } = JSON.parse(readFileSync("config/default.json", "utf8")) as { readonly limits: Limits };

/** The real router on this thread, the real control thread before it. */
const startBoth = Effect.fnUntraced(function* (options: { readonly token?: string; readonly node?: FakeNode } = {}) {
  const token = options.token === undefined ? {} : { token: options.token };
  const api = yield* startApi(options.node ?? new FakeNode(), { ...token, ingest: echoIngest });
  const control = yield* startControlThread({
    host: "127.0.0.1",
    port: 0,
    orAnyPort: false,
    token: options.token === undefined ? undefined : Redacted.make(options.token),
    dataUrl: api.url,
    limits,
    answer: api.answer,
  });
  return { api, control };
});

const asking = (url: string, options?: AskOptions) => Effect.promise(() => ask(url, options));

describe("the control address", () => {
  it.live("answers as the data address does", () =>
    Effect.gen(function* () {
      const { api, control } = yield* startBoth();
      for (const path of [
        "/v1/books",
        "/v1/limits",
        "/v1/version",
        "/readyz",
        "/healthz",
        "/openapi.json",
        "/nothing",
      ]) {
        const [data, own] = [yield* asking(`${api.url}${path}`), yield* asking(`${control.url}${path}`)];
        assert.strictEqual(own.status, data.status, path);
        assert.deepStrictEqual(JSON.parse(own.text), JSON.parse(data.text), path);
        assert.strictEqual(own.headers["content-type"], data.headers["content-type"], path);
      }
      const wrong = yield* asking(`${control.url}/v1/jobs`, { method: "POST", body: "{}" });
      assert.strictEqual(wrong.status, 405);
      assert.strictEqual(wrong.headers["allow"], "GET");
    }),
  );

  it.live("passes writes with their preconditions, and shows them at once", () =>
    Effect.gen(function* () {
      const { control } = yield* startBoth();
      const url = `${control.url}/v1/jobs/a`;
      const body = JSON.stringify(aJob);
      assert.strictEqual((yield* asking(url)).status, 404);
      const created = yield* asking(url, { method: "PUT", body, headers: { "if-none-match": "*" } });
      assert.deepStrictEqual([created.status, created.headers["etag"]], [201, '"1"']);
      assert.strictEqual((yield* asking(url)).status, 200);
      const stale = yield* asking(url, { method: "PUT", body, headers: { "if-match": '"9"' } });
      assert.strictEqual(stale.status, 412);
      const deleted = yield* asking(url, { method: "DELETE", headers: { "if-match": '"1"' } });
      assert.deepStrictEqual([deleted.status, deleted.text], [204, ""]);
      assert.strictEqual((yield* asking(url)).status, 404);
      const large = yield* asking(url, { method: "PUT", body: "x".repeat(1_048_577) });
      assert.strictEqual(large.status, 413);
    }),
  );

  it.live("says where records go", () =>
    Effect.gen(function* () {
      const { api, control } = yield* startBoth();
      const answer = yield* asking(`${control.url}/v1/ingest/d`, { method: "POST", body: "{}\n" });
      assert.strictEqual(answer.status, 421);
      assert.include(answer.text, api.url);
    }),
  );

  it.live("asks for the token, and refuses pages of other sites without one", () =>
    Effect.gen(function* () {
      const closed = yield* startBoth({ token: "s3cret" });
      const status = (path: string, options?: AskOptions) =>
        Effect.map(asking(`${closed.control.url}${path}`, options), (answer) => answer.status);
      for (const path of ["/healthz", "/readyz"]) assert.strictEqual(yield* status(path), 200);
      for (const path of ["/v1/jobs", "/v1/books", "/metrics", "/openapi.json", "/nothing"]) {
        assert.strictEqual(yield* status(path), 401, path);
        assert.strictEqual(yield* status(path, { headers: { authorization: "Bearer s3cre" } }), 401, path);
      }
      assert.strictEqual(yield* status("/v1/jobs/a", { method: "PUT", body: "{}" }), 401);
      assert.strictEqual(yield* status("/v1/books", { headers: { authorization: "Bearer s3cret" } }), 200);
      const open = yield* startBoth();
      const books = `${open.control.url}/v1/books`;
      assert.strictEqual((yield* asking(books, { headers: { host: "rebound.example" } })).status, 421);
      assert.strictEqual((yield* asking(books, { headers: { origin: "https://evil.example" } })).status, 403);
    }),
  );

  it.live("needs a token beyond loopback, and names a port that is taken", () =>
    Effect.gen(function* () {
      const { api } = yield* startBoth();
      const start = (host: string, orAnyPort: boolean) =>
        Effect.gen(function* () {
          const { answer, url } = api;
          const port = Number(new URL(url).port);
          return yield* startControlThread({ host, port, orAnyPort, token: undefined, dataUrl: url, limits, answer });
        });
      assert.strictEqual((yield* Effect.flip(start("0.0.0.0", false))).reason, "token-required");
      const taken = yield* Effect.flip(start("127.0.0.1", false));
      assert.strictEqual(taken.reason, "address-in-use");
      assert.include(taken.message, "--control-listen");
      const other = yield* start("127.0.0.1", true);
      assert.notStrictEqual(other.url, api.url);
      assert.strictEqual((yield* asking(`${other.url}/v1/version`)).status, 200);
    }),
  );

  it.live("adds its own lines to the metrics", () =>
    Effect.gen(function* () {
      const { control } = yield* startBoth();
      yield* asking(`${control.url}/v1/books`);
      const { text } = yield* asking(`${control.url}/metrics`);
      assert.match(text, /^spillway_control_reads_total\{from="main"\} [1-9]/m);
      assert.match(text, /^spillway_control_thread_starts [1-9]/m);
      assert.match(text, /^spillway_books_records\{/m);
    }),
  );

  it.live("forwards an upgrade to the data address, after its own look at who asks", () =>
    Effect.gen(function* () {
      const { api, control } = yield* startBoth({ token: "s3cret" });
      api.server.on("upgrade", (request, socket, head) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n");
        socket.write(`${request.url}|${head.toString()}`);
        socket.pipe(socket);
      });
      const talk = (authorization: string) =>
        Effect.promise(
          () =>
            new Promise<string>((resolve, reject) => {
              const socket = connect(Number(new URL(control.url).port), "127.0.0.1");
              let text = "";
              socket.on("error", reject);
              socket.on("data", (part) => {
                text += part.toString();
                if (text.includes("ping")) socket.destroy();
              });
              socket.on("close", () => resolve(text));
              socket.write(
                "GET /v1/buffers/a/inspect HTTP/1.1\r\nhost: spillway.example\r\nconnection: upgrade\r\n" +
                  `upgrade: echo\r\nauthorization: ${authorization}\r\n\r\n`,
              );
              socket.write("ping");
            }),
        );
      const [head, tail] = (yield* talk("Bearer s3cret")).split("\r\n\r\n");
      assert.match(head!, /^HTTP\/1\.1 101 /);
      assert.strictEqual(tail, "/v1/buffers/a/inspect|ping");
      assert.match(yield* talk("Bearer wrong"), /^HTTP\/1\.1 401 [\s\S]*unauthorized/);
    }),
  );
});
