import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { framesMax } from "../../src/forwarder/inflate.ts";
import { type Answer, openDoor } from "./door-world.ts";

const acme = { "spillway-customer": "acme" };
const gzip = { ...acme, "content-encoding": "gzip" };
const zstd = { ...acme, "content-encoding": "zstd" };

/** Does not compress below the size from which bodies are inflated in pieces. */
const noise = (records: number): string => {
  let state = 1;
  const next = () => (state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
  return Array.from({ length: records }, (_, n) => {
    const words = Array.from({ length: 12 }, () => next().toString(36)).join("");
    return `{"n":${n},"x":"${words}"}\n`;
  }).join("");
};

const kinds = [
  { name: "gzip", headers: gzip, compress: (raw: string | Buffer) => gzipSync(raw) },
  { name: "zstd", headers: zstd, compress: (raw: string | Buffer) => zstdCompressSync(raw) },
] as const;
const sizes = [
  { size: "small", text: noise(20) },
  { size: "large", text: noise(4_000) },
] as const;

const error = ({ json, status }: Answer) => [status, json.error?.code, json.error?.message];

describe("compressed bodies", () => {
  for (const { name, headers, compress } of kinds) {
    for (const { size, text } of sizes) {
      const whole = compress(text);
      const damaged = [
        400,
        "body_damaged",
        `The body is not whole ${name}: nothing of it was stored. Compress it again and check that it is sent to its end.`,
      ];

      it.live(`${size} ${name} arrives byte-identical`, () =>
        Effect.gen(function* () {
          assert.strictEqual(whole.length >= 65_536, size === "large");
          const { ingest, outbox, post } = yield* openDoor();
          const answer = yield* post("/v1/ingest/logs", whole, headers);
          assert.strictEqual(answer.json.accepted, text.split("\n").length - 1);
          assert.strictEqual(outbox.stored("acme", "logs"), text);
          assert.strictEqual(ingest.inFlightBytes(), 0);
        }).pipe(Effect.scoped),
      );

      it.live(`${size} ${name} of several members arrives whole`, () =>
        Effect.gen(function* () {
          const { outbox, post } = yield* openDoor();
          const members = [whole, compress('{"between":true}\n'), compress(""), whole];
          const answer = yield* post("/v1/ingest/logs", Buffer.concat(members), headers);
          assert.strictEqual(answer.status, 200);
          assert.strictEqual(outbox.stored("acme", "logs"), `${text}{"between":true}\n${text}`);
        }).pipe(Effect.scoped),
      );

      it.live(`${size} ${name} that is cut short anywhere, or damaged, stores nothing`, () =>
        Effect.gen(function* () {
          const { ingest, outbox, post } = yield* openDoor();
          const flipped = Buffer.from(whole);
          flipped[whole.length >> 1]! ^= 0xff;
          const second = compress('{"second":true}\n');
          const broken = [
            whole.subarray(0, whole.length - 1),
            whole.subarray(0, whole.length >> 1),
            whole.subarray(0, 3),
            Buffer.alloc(0),
            Buffer.concat([whole, second.subarray(0, 2)]),
            Buffer.concat([whole, second.subarray(0, second.length - 1)]),
            Buffer.concat([whole, Buffer.from("garbage that is not a member")]),
            Buffer.from(text),
            // zstd has no checksum unless asked for one.
            ...(name === "gzip" ? [flipped] : []),
          ];
          for (const body of broken) {
            assert.deepStrictEqual(error(yield* post("/v1/ingest/logs", body, headers)), damaged);
          }
          assert.lengthOf(outbox.writes, 0);
          assert.strictEqual(ingest.inFlightBytes(), 0);
        }).pipe(Effect.scoped),
      );
    }

    it.live(`a ${name} bomb gets 413 with the limit, and never more memory than the limit`, () =>
      Effect.gen(function* () {
        const bytesMax = 8_388_608;
        const { outbox, post } = yield* openDoor({ requestInflatedBytesMax: bytesMax });
        const zeros = Buffer.alloc(256 * 1_048_576, 0x20);
        // Small enough to be inflated at once, and large enough not to be.
        const bombs = [compress(zeros.subarray(0, 48 * 1_048_576)), largeBomb(name, zeros)];
        assert.isBelow(bombs[0]!.length, 65_536);
        assert.isAbove(bombs[1]!.length, 65_536);
        const watch = watchMemory();
        for (const bomb of bombs) {
          for (let i = 0; i < 3; i++) {
            assert.deepStrictEqual(error(yield* post("/v1/ingest/logs", bomb, headers)), [
              413,
              "body_too_large",
              `The inflated body is larger than ${bytesMax} bytes: send smaller bodies.`,
            ]);
          }
        }
        // What the six requests left behind before it was collected is allowed for; a bomb going off would be 250 MB
        // more.
        assert.isBelow(watch.stop(), 100 * 1_048_576);
        assert.lengthOf(outbox.writes, 0);
      }).pipe(Effect.scoped),
    );

    it.live(`${name} that needs more room than the node has is told to come again`, () =>
      Effect.gen(function* () {
        const { ingest, post, raw } = yield* openDoor({ requestsInFlightBytesMax: 1_000_000 });
        const other = yield* raw;
        other.write(
          "POST /v1/ingest/logs HTTP/1.1\r\nhost: d\r\nspillway-customer: acme\r\ncontent-length: 600000\r\n\r\n",
        );
        while (ingest.inFlightBytes() === 0) yield* Effect.sleep(1);
        for (const text of ["x".repeat(500_000), noise(6_000)]) {
          const answer = yield* post("/v1/ingest/logs", compress(text), headers);
          assert.deepStrictEqual(
            [answer.status, answer.json.error.code, answer.headers["retry-after"]],
            [503, "busy", "1"],
          );
          assert.strictEqual(ingest.inFlightBytes(), 600_000);
        }
        other.destroy();
      }).pipe(Effect.scoped),
    );
  }

  it.live("bounds the number of zstd frames, each of which costs a decoder", () =>
    Effect.gen(function* () {
      const { outbox, post } = yield* openDoor();
      const frame = zstdCompressSync('{"a":1}\n');
      const large = zstdCompressSync(noise(4_000));
      const many = Buffer.concat(Array.from({ length: framesMax }, () => frame));
      assert.strictEqual((yield* post("/v1/ingest/logs", many, zstd)).json.accepted, framesMax);
      outbox.writes.length = 0;
      for (const body of [Buffer.concat([many, frame]), Buffer.concat([large, many])]) {
        const answer = yield* post("/v1/ingest/logs", body, zstd);
        assert.deepStrictEqual(error(answer), [
          400,
          "too_many_frames",
          `The body has more than ${framesMax} zstd frames: compress it in one piece.`,
        ]);
      }
      assert.lengthOf(outbox.writes, 0);
    }).pipe(Effect.scoped),
  );
});

/** More than 64 KB that inflate to far more than the limit. */
const largeBomb = (name: "gzip" | "zstd", zeros: Buffer): Buffer =>
  name === "gzip"
    ? gzipSync(zeros)
    : Buffer.concat(
        Array.from({ length: 8 }, () =>
          zstdCompressSync(zeros.subarray(0, 33_554_432), {
            // A window this small repeats itself often enough for a bomb to be large.
            params: { [constants.ZSTD_c_windowLog]: 10, [constants.ZSTD_c_compressionLevel]: 1 },
          }),
        ),
      );

/** Most bytes of memory that came on top while it watched. */
const watchMemory = () => {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 1);
  return {
    stop: () => {
      clearInterval(timer);
      return Math.max(most, process.memoryUsage.rss()) - before;
    },
  };
};
