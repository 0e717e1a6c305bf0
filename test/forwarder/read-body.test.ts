import { assert, describe, it } from "@effect/vitest";
import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { joinBody, releaseBody } from "../../src/forwarder/body-memory.ts";
import { readBody } from "../../src/forwarder/read-body.ts";
import { RequestRefused } from "../../src/forwarder/request-refused.ts";

/** A request whose body the test sends piece by piece. */
const openRequest = (headers: Readonly<Record<string, string>> = {}) =>
  Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;

/** Completes when everything that the stream has to say has been said. */
const said = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

const place = { hold: () => true, roomBytes: () => Number.MAX_SAFE_INTEGER, leave: () => {} };

describe("reading a body", () => {
  it("calls back once, whatever comes after", async () => {
    const request = openRequest();
    const results: Array<Buffer | RequestRefused> = [];
    readBody(request, 5, { requestReadMillisMax: 10_000 }, place, (result) => results.push(result));
    request.write("abc");
    request.write("def");
    request.end("g");
    request.resume();
    await said();
    request.destroy(new Error("reset"));
    await said();
    assert.strictEqual(results.length, 1);
    assert.strictEqual((results[0] as RequestRefused).code, "body_too_large");
  });

  it("keeps the order of however many parts", async () => {
    const request = openRequest();
    let body: Buffer | RequestRefused | undefined;
    readBody(request, 100_000, { requestReadMillisMax: 10_000 }, place, (result) => (body = result));
    const sent = Array.from({ length: 9_999 }, (_, n) => String(n));
    for (const part of sent) request.emit("data", Buffer.from(part));
    request.end();
    await said();
    assert.deepStrictEqual(body, Buffer.from(sent.join("")));
  });

  it("takes no memory for a body that was refused before its end", async () => {
    // The pool hands out what was given back last: what readBody took and dropped would be missing.
    const known = joinBody([Buffer.alloc(40_000), Buffer.alloc(1)], 40_001);
    releaseBody(known);
    const request = openRequest();
    readBody(request, 5, { requestReadMillisMax: 10_000 }, place, () => {});
    request.write("abc");
    request.write("d");
    request.write("too much");
    request.end();
    request.resume();
    await said();
    const next = joinBody([Buffer.alloc(40_000), Buffer.alloc(1)], 40_001);
    assert.strictEqual(next.buffer, known.buffer);
    releaseBody(next);
  });
});

describe("the memory of bodies", () => {
  it("is never shared by two bodies, nor given back twice", () => {
    const one = joinBody([Buffer.from("a"), Buffer.from("b")], 2);
    releaseBody(one);
    releaseBody(one);
    const two = joinBody([Buffer.from("c"), Buffer.from("d")], 2);
    const three = joinBody([Buffer.from("e"), Buffer.from("f")], 2);
    assert.notStrictEqual(two.buffer, three.buffer);
    assert.strictEqual(two.toString() + three.toString(), "cdef");
    releaseBody(two);
    releaseBody(three);
  });

  it("of a body that came in one part stays with whoever read it off the wire", () => {
    const slab = Buffer.from("before{}\nafter");
    const body = joinBody([slab.subarray(6, 9)], 3);
    releaseBody(body);
    assert.notStrictEqual(joinBody([Buffer.from("x"), Buffer.from("y")], 2).buffer, slab.buffer);
  });
});
