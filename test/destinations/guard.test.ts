import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as fc from "fast-check";
import type { LookupFunction } from "node:net";
import { Destinations } from "../../src/actors/ports/destinations.ts";
import { conformanceRequest } from "../../src/destinations/conformance.ts";
import { guardedConnector, guardedLookup, isPublicAddress, urlProblems } from "../../src/destinations/guard.ts";
import { layerDestinations, settingsProblems } from "../../src/destinations/registry.ts";
import { jobTo } from "./push-jobs.ts";
import { answerWith, startScriptedServer } from "./scripted-server.ts";

const refused = (url: string): boolean => urlProblems(new URL(url), false).length > 0;

describe("an address", () => {
  it.each([
    ["8.8.8.8", true],
    ["1.1.1.1", true],
    ["100.63.255.255", true],
    ["100.128.0.0", true],
    ["172.15.255.255", true],
    ["172.32.0.0", true],
    ["223.255.255.255", true],
    ["2606:4700::1111", true],
    ["2a00:1450:4001:82a::200e", true],
    ["64:ff9b::8.8.8.8", true],
    ["0.0.0.0", false],
    ["10.1.2.3", false],
    ["100.64.0.1", false],
    ["100.100.100.200", false],
    ["127.0.0.1", false],
    ["127.255.255.254", false],
    ["168.63.129.16", false],
    ["169.254.169.254", false],
    ["172.16.0.1", false],
    ["172.31.255.255", false],
    ["192.0.0.192", false],
    ["192.168.1.1", false],
    ["198.18.0.1", false],
    ["203.0.113.9", false],
    ["224.0.0.1", false],
    ["239.255.255.250", false],
    ["240.0.0.1", false],
    ["255.255.255.255", false],
    ["::", false],
    ["::1", false],
    ["::127.0.0.1", false],
    ["::ffff:127.0.0.1", false],
    ["::ffff:10.0.0.1", false],
    ["::ffff:8.8.8.8", false],
    ["64:ff9b::10.0.0.1", false],
    ["64:ff9b::a9fe:a9fe", false],
    ["64:ff9b:1::8.8.8.8", false],
    ["100::1", false],
    ["2001::1", false],
    ["2001:db8::1", false],
    ["2002:7f00:1::", false],
    ["3fff::1", false],
    ["fc00::1", false],
    ["fd00:ec2::254", false],
    ["fe80::1", false],
    ["fe80::1%eth0", false],
    ["2606:4700::1111%eth0", false],
    ["fec0::1", false],
    ["ff02::1", false],
    ["not-an-address", false],
    ["", false],
  ])("%s is public: %s", (address, isPublic) => {
    assert.strictEqual(isPublicAddress(address), isPublic);
  });
});

describe("a URL", () => {
  it.each([
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://127.0.0.1:8080/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://user:word@127.0.0.1/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://metadata.google.internal/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
  ])("%s is refused", (url) => {
    assert.isTrue(refused(url));
  });

  it.each([
    "https://example.com/",
    "http://8.8.8.8:9000/x",
    "https://[2606:4700::1111]/",
    "https://localhost.example.com/",
  ])("%s may be tried", (url) => {
    assert.isFalse(refused(url));
  });

  it("may be private when that is allowed, and then still must be http or https", () => {
    assert.deepStrictEqual(urlProblems(new URL("http://127.0.0.1:1/"), true), []);
    assert.strictEqual(urlProblems(new URL("ftp://127.0.0.1/"), true).length, 1);
  });

  const inside = fc
    .tuple(
      fc.constantFrom(
        [127, 8],
        [10, 8],
        [0, 8],
        [0xa9fe, 16],
        [0xc0a8, 16],
        [0xac1, 12],
        [0x191, 10],
        [0xe, 4],
        [0xf, 4],
      ),
      fc.nat(0x0fff_ffff),
    )
    .map(([[prefix = 0, bits = 32], rest]) => ((prefix << (32 - bits)) | (rest & (2 ** (32 - bits) - 1))) >>> 0);

  it("with any spelling of an inside IPv4 address is refused", () => {
    fc.assert(
      fc.property(
        inside.chain((address) => spelling(address)),
        (host) => {
          assert.isTrue(refused(`http://${host}/`), host);
        },
      ),
    );
  });

  it("with an inside IPv4 address in any IPv6 clothes is refused", () => {
    fc.assert(
      fc.property(inside, fc.constantFrom("::", "::ffff:", "64:ff9b::", "::ffff:0:", "2002:"), (address, prefix) => {
        const words = [address >>> 16, address & 0xffff].map((word) => word.toString(16)).join(":");
        const host = prefix === "2002:" ? `2002:${words}::1` : `${prefix}${words}`;
        assert.isTrue(refused(`http://[${host}]/`), host);
        assert.isTrue(refused(`http://[${host.toUpperCase()}]/`), host);
      }),
    );
  });

  it("with an IPv6 address outside of 2000::/3 and NAT64 is refused", () => {
    const word = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
        fc.pre((words[0] ?? 0) >>> 13 !== 1 && !(words[0] === 0x64 && words[1] === 0xff9b));
        assert.isTrue(refused(`http://[${words.map((each) => each.toString(16)).join(":")}]/`));
      }),
    );
  });
});

describe("a resolver's answer", () => {
  it("is refused when any of its addresses is inside", () => {
    for (const all of [true, false]) {
      assert.strictEqual(errorOf(all, "127.0.0.1"), "SPILLWAY_BLOCKED_ADDRESS");
      assert.strictEqual(errorOf(all, "::1"), "SPILLWAY_BLOCKED_ADDRESS");
      assert.isUndefined(errorOf(all, "8.8.8.8"));
    }
    assert.strictEqual(errorOf(true, "8.8.8.8", "10.0.0.1"), "SPILLWAY_BLOCKED_ADDRESS");
    assert.isUndefined(errorOf(true, "8.8.8.8", "2606:4700::1111"));
  });

  it("is not even asked for when the host is an inside address", () => {
    const connect = guardedConnector({ allowPrivateDestinations: false, connectMillisMax: 100 });
    let code: unknown;
    connect({ hostname: "127.0.0.1", protocol: "http:", port: "1" }, (...[error]) => {
      code = error !== null && "code" in error && error.code;
    });
    assert.strictEqual(code, "SPILLWAY_BLOCKED_ADDRESS");
  });

  it.live("is checked at connect, so that a rebound name does not get in", () =>
    Effect.gen(function* () {
      const { outcome, requests } = yield* pushTo(false);
      assert.strictEqual(requests, 0);
      assert.strictEqual(outcome._tag === "Rejected" && outcome.reason, "blocked-address");
      assert.notInclude(JSON.stringify(outcome), "127.0.0.1");
    }),
  );

  it.live("is not checked when private destinations are allowed", () =>
    Effect.gen(function* () {
      const { outcome, requests } = yield* pushTo(true);
      assert.strictEqual(requests, 1);
      assert.strictEqual(outcome._tag, "Delivered");
    }),
  );
});

/** Any spelling of a 32-bit address that the URL parser takes. */
const spelling = (address: number) =>
  fc.constantFrom(
    String(address),
    `0x${address.toString(16)}`,
    `0${address.toString(8)}`,
    [24, 16, 8, 0].map((shift) => String((address >>> shift) & 255)).join("."),
    [24, 16, 8, 0].map((shift) => `0x${((address >>> shift) & 255).toString(16)}`).join("."),
    [24, 16, 8, 0].map((shift) => `0${((address >>> shift) & 255).toString(8)}`).join("."),
    `${address >>> 24}.${address & 0xff_ffff}`,
    `${address >>> 24}.0x${((address >>> 16) & 255).toString(16)}.${address & 0xffff}`,
  );

const resolving =
  (...addresses: ReadonlyArray<string>): LookupFunction =>
  (_, options, callback) => {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]?.address ?? "", found[0]?.family);
  };

const errorOf = (all: boolean, ...addresses: ReadonlyArray<string>): string | undefined => {
  let code: string | undefined;
  guardedLookup(resolving(...addresses))("name.example", { all }, (error) => {
    code = error?.code;
  });
  return code;
};

const pushTo = (allowPrivateDestinations: boolean) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startScriptedServer({ onRequest: ({ socket }) => socket.write(answerWith(200)) })),
      ({ close }) => Effect.promise(close),
    );
    const outcome = yield* Effect.gen(function* () {
      const { open } = yield* Destinations;
      const url = `http://rebound.example:${server.port}/`;
      // Statically there is nothing wrong with it.
      assert.deepStrictEqual(settingsProblems({ kind: "http", url }, { allowPrivateDestinations: false }), []);
      const destination = yield* open(jobTo({ kind: "http", url }));
      return yield* destination.push(conformanceRequest({ first: 1, records: 1 }));
    }).pipe(
      Effect.provide(
        layerDestinations({
          allowPrivateDestinations,
          pushMillisMax: 2_000,
          pushStallMillisMax: 2_000,
          multipartBytesMin: 1e9,
          connectionsPerHostMax: 2,
          resolve: resolving("127.0.0.1"),
        }),
      ),
    );
    return { outcome, requests: server.requests.length };
  });
