import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { inflate } from "../../src/forwarder/inflate.ts";
import { RequestRefused } from "../../src/forwarder/request-refused.ts";

/** What the door makes of a compressed body when it has all the room it wants. */
const inflated = (body: Buffer, encoding: "gzip" | "zstd") =>
  Effect.callback<string>((resume) => {
    const place = { hold: () => true, roomBytes: () => Number.MAX_SAFE_INTEGER };
    inflate(body, encoding, { bytesMax: 67_108_864, place }, (result) =>
      resume(Effect.succeed(result instanceof RequestRefused ? result.code : result.toString())),
    );
  });

/** Inflated at once. */
const few = '{"n":1}\n'.repeat(3);
/** Too large, compressed, to be inflated at once. */
const many = Array.from({ length: 3_000 }, () => `{"n":"${randomBytes(24).toString("hex")}"}\n`).join("");
const last = '{"n":"last"}\n';

describe("gzip members with zeros around them", () => {
  for (const [size, text] of [
    ["small", few],
    ["large", many],
  ] as const) {
    const whole = gzipSync(text);

    it.effect(`of a ${size} body: padding at the end is left out`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* inflated(Buffer.concat([whole, Buffer.alloc(512)]), "gzip"), text);
      }),
    );

    it.effect(`of a ${size} body: a member after padding is not lost`, () =>
      Effect.gen(function* () {
        const body = Buffer.concat([whole, Buffer.alloc(512), gzipSync(last), Buffer.alloc(1)]);
        assert.strictEqual(yield* inflated(body, "gzip"), text + last);
      }),
    );

    it.effect(`of a ${size} body: anything else after padding is damage`, () =>
      Effect.gen(function* () {
        const cut = gzipSync(last).subarray(0, 12);
        for (const rest of [Buffer.from("{}\n"), cut]) {
          assert.strictEqual(yield* inflated(Buffer.concat([whole, Buffer.alloc(7), rest]), "gzip"), "body_damaged");
        }
      }),
    );
  }
});

describe("zstd", () => {
  it.effect("frames are all inflated, padding is damage", () =>
    Effect.gen(function* () {
      for (const text of [few, many]) {
        const frames = Buffer.concat([zstdCompressSync(text), zstdCompressSync(last)]);
        assert.strictEqual(yield* inflated(frames, "zstd"), text + last);
        assert.strictEqual(yield* inflated(Buffer.concat([frames, Buffer.alloc(8)]), "zstd"), "body_damaged");
      }
    }),
  );
});
