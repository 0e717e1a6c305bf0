import * as fc from "fast-check";
import { assert, describe, it } from "vitest";
import { isId } from "../../src/domain/ids.ts";
import { CustomerField, findTopLevelString } from "../../src/forwarder/customer-field.ts";
import { Scan } from "../../src/forwarder/scan.ts";

interface Found {
  readonly text: string;
  readonly customer: string | undefined;
  readonly clean: boolean;
}

const options = {
  recordBytesMax: 1_048_576,
  refusedListedMax: 1_000,
  validate: false,
  customerField: undefined,
  customers: undefined,
};

const scan = (body: Buffer, customerField?: string, lines = 1e9) => {
  const found: Array<Found> = [];
  const customers = customerField === undefined ? undefined : new CustomerField(body, customerField);
  const all = new Scan(body, { ...options, customerField, customers }, (start, end, clean) =>
    found.push({ text: body.toString("utf8", start, end), clean, customer: customers?.id() }),
  );
  let steps = 1;
  while (!all.step(lines, 1e9)) steps += 1;
  return { found, refusals: all.refusals, steps };
};

/** The id, null when the field is absent, "" when it is not an id. */
const read = (field: CustomerField, start: number, end: number): string | null => {
  const found = field.find(start, end);
  return found === "found" ? field.id() : found === "absent" ? null : "";
};

/** A JSON string as usual, or with every UTF-16 unit escaped. */
const escaped = (text: string, isUsual: boolean): string => {
  if (isUsual) return JSON.stringify(text);
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, "0"));
  return `"${units.map((hex) => `\\u${hex}`).join("")}"`;
};

/** JSON with blanks and needless escapes wherever JSON admits them. Keys may repeat at any depth. */
const json = (seed: fc.Arbitrary<string>) => {
  const blank = fc.stringMatching(/^[ \t\r]{0,2}$/);
  const string = fc
    .tuple(seed, fc.constantFrom(true, true, true, false))
    .map(([text, isUsual]) => escaped(text, isUsual));
  return fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      string,
      fc.oneof(fc.integer().map(String), fc.constantFrom("true", "false", "null", "-1.5e300", "1731584580123456789")),
      fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(",")}]`),
      tie("object"),
    ),
    object: fc
      .array(fc.tuple(blank, string, blank, blank, tie("value"), blank), { maxLength: 5 })
      .map((members) => `{${members.map(([a, key, b, c, value, d]) => `${a}${key}${b}:${c}${value}${d}`).join(",")}}`),
  })).object;
};

const field = "customer";
/** Keys and values that look like the field, and anything else. */
const words = fc.oneof(
  fc.constantFrom(
    field,
    field,
    `"${field}"`,
    `${field}":"x`,
    `\\"${field}`,
    "acme",
    "zone-7",
    "_x",
    "",
    "{",
    "}",
    "[",
    ":",
  ),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);

/** The first top-level member of that name, as `JSON.parse` sees it: a reviver would lose the order and the repeats. */
const firstMember = (text: string, name: string): unknown => {
  const parsed = members(text).find(([key]) => key === name);
  return parsed?.[1];
};

/** Top-level members in order, repeats included: cut at commas of depth 1, each parsed by itself. */
const members = (text: string): ReadonlyArray<readonly [string, unknown]> => {
  const inner = text.trim().slice(1, -1);
  const parts: Array<string> = [];
  let part = "";
  for (const piece of inner.split(",")) {
    part = part === "" ? piece : `${part},${piece}`;
    if (part.trim() === "" || !isJson(`{${part}}`)) continue;
    parts.push(part);
    part = "";
  }
  return parts.map((each) => Object.entries(JSON.parse(`{${each}}`) as object)[0]!);
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** The field as the members of the parsed record have it: "" when it is not a string. */
const expected = (text: string, name: string): string | null => {
  if (!members(text).some(([key]) => key === name)) return null;
  const value = firstMember(text, name);
  return typeof value === "string" ? value : "";
};

const idOf = (value: string | null): string | null => (value === null || isId(value) ? value : "");

describe("the customer field", () => {
  it("agrees with JSON.parse on the first top-level occurrence, the quick way and the careful way", () => {
    fc.assert(
      fc.property(fc.array(json(words), { minLength: 1, maxLength: 4 }), (records) => {
        const body = Buffer.from(records.map((record) => `${record}\n`).join(""));
        const customers = new CustomerField(body, field);
        let at = 0;
        for (const record of records) {
          const end = at + Buffer.byteLength(record);
          const wanted = expected(record, field);
          assert.strictEqual(read(customers, at, end), idOf(wanted), record);
          assert.strictEqual(findTopLevelString(body, at, end, Buffer.from(field), field), wanted, record);
          at = end + 1;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("agrees with JSON.parse for any name of the field", () => {
    fc.assert(
      fc.property(json(words), words, (record, name) => {
        const body = Buffer.from(record);
        assert.strictEqual(read(new CustomerField(body, name), 0, body.length), idOf(expected(record, name)));
      }),
      { numRuns: 1_000 },
    );
  });

  it("never looks beyond its record, whatever the bytes", () => {
    const piece = fc.constantFrom(
      '{"customer":"acme"}',
      '{"customer":',
      '"',
      '{"customer":"ac',
      "\\",
      "}",
      '"customer":"b"}',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const body = Buffer.from(pieces.map((each) => `${each}\n`).join(""));
        const customers = new CustomerField(body, field);
        let at = 0;
        for (const each of pieces) {
          const alone = new CustomerField(Buffer.from(each), field);
          assert.strictEqual(read(customers, at, at + each.length), read(alone, 0, each.length));
          at += each.length + 1;
        }
      }),
    );
  });

  for (const [record, customer] of [
    ['{"x\\"customer":"evil","customer":"good"}', "good"],
    ['{"customer" : "acme"}', "acme"],
    ['{"a":{"customer":"inner"},"customer":"outer"}', "outer"],
    ['{"a":[{"customer":"inner"}]}', null],
    ['{"customer":null}', ""],
    ['{"customer":"first","customer":"second"}', "first"],
    ['{"custome\\u0072":"acme"}', "acme"],
    ['{"customer":"\\u0061cme"}', "acme"],
    ['{"a":"customer","customer":"b"}', "b"],
    [`{"a":"${"x".repeat(5_000)}","customer":"far"}`, "far"],
  ] as const) {
    it(`reads ${record.length > 60 ? "a field far into the record" : record}`, () => {
      const body = Buffer.from(record);
      assert.strictEqual(read(new CustomerField(body, field), 0, body.length), customer);
    });
  }
});

describe("lines", () => {
  const record = fc
    .oneof(json(fc.string({ unit: "grapheme", maxLength: 5 })), fc.constant("{}"))
    .map((text) => text.replaceAll("\r", " "));
  const ending = fc.constantFrom("\n", "\n", "\r\n");
  const gap = fc.constantFrom("", "", "\n", "\r\n", "\n\n\r\n");

  it("come back as they were, whatever their endings, in one step or in many", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(gap, record, ending), { maxLength: 20 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        (parts, isLastOpen, linesPerStep) => {
          let text = parts.map((part) => part.join("")).join("");
          if (isLastOpen) text = text.replace(/\r?\n$/, "");
          const body = Buffer.from(text);
          for (const lines of [1e9, linesPerStep]) {
            const { found, refusals } = scan(body, undefined, lines);
            assert.deepStrictEqual(
              found.map((each) => each.text),
              parts.map(([, each]) => each),
            );
            assert.strictEqual(refusals.count, 0);
            found.forEach((each, i) => {
              const isOpen = isLastOpen && i === parts.length - 1;
              assert.strictEqual(each.clean, parts[i]![2] === "\n" && !isOpen);
            });
          }
        },
      ),
    );
  });

  it("that are no records are refused with their numbers; the others are not touched", () => {
    const bad = fc.constantFrom("x", "[]", "1", '"{}"', "{", "}", " ", "{} x", "\u{feff}{}");
    const line = fc.oneof(
      record.map((text) => ({ text, good: true })),
      bad.map((text) => ({ text, good: false })),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (all) => {
        const { found, refusals } = scan(Buffer.from(all.map(({ text }) => `${text}\n`).join("")));
        assert.deepStrictEqual(
          found.map(({ text }) => text),
          all.filter(({ good }) => good).map(({ text }) => text),
        );
        assert.deepStrictEqual(
          refusals.listed.map(({ line: number }) => number),
          all.flatMap(({ good }, i) => (good ? [] : [i + 1])),
        );
      }),
    );
  });

  it("take blanks around a record as a part of it", () => {
    const { found } = scan(Buffer.from(' \t{"a":1}\t \n'));
    assert.deepStrictEqual(found, [{ text: ' \t{"a":1}\t ', clean: true, customer: undefined }]);
  });

  it("are gone through in bounded steps", () => {
    const body = Buffer.from("{}\n".repeat(1_000));
    assert.strictEqual(scan(body, undefined, 100).steps, 10);
    const bytes = new Scan(body, options, () => {});
    assert.isFalse(bytes.step(1e9, 1_500));
    assert.isTrue(bytes.step(1e9, 1_500));
  });

  it("cost a time that is linear in the body, also when none has the customer field", () => {
    const body = Buffer.from(`${'{"a":"b"}\n'.repeat(100_000)}{"customer":"acme"}\n`);
    const { found, refusals } = scan(body, field);
    assert.strictEqual(found.length, 1);
    assert.strictEqual(refusals.byReason["no-customer"], 100_000);
  });
});
