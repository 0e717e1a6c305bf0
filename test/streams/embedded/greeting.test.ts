import { createServer } from "node:net";
import { once } from "node:events";
import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { parseGreeting, readGreeting } from "../../../src/streams/embedded/greeting.ts";

it("reads an INFO line and nothing else", () => {
  assert.deepStrictEqual(parseGreeting('INFO {"server_name":"a","version":"2.15.1","jetstream":true,"x":1} '), {
    server_name: "a",
    version: "2.15.1",
    jetstream: true,
  });
  for (const line of ["", "INFO", "INFO {", "INFO {}", "HTTP/1.1 400 Bad Request"])
    assert.isUndefined(parseGreeting(line));
});

it("gives undefined when another program answers or nobody does", async () => {
  const server = createServer((socket) => socket.end("220 mail ready\r\n")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  assert.isUndefined(await Effect.runPromise(readGreeting(port)));
  server.close();
  await once(server, "close");
  assert.isUndefined(await Effect.runPromise(readGreeting(port)));
});
