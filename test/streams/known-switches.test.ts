import { assert, describe, it } from "vitest";
import type { KillSwitch } from "../../src/domain/kill-switch.ts";
import { KnownSwitches } from "../../src/streams/known-switches.ts";
import type { SwitchEntry } from "../../src/streams/switch-bucket.ts";
import { aSwitch } from "../support/scripted-switches.ts";

const on = (each: KillSwitch, revision = 1): SwitchEntry => ({
  id: each.id,
  revision,
  stored: { on: true, switch: each },
});
const off = (each: KillSwitch, revision = 2): SwitchEntry => ({
  id: each.id,
  revision,
  stored: { on: false, switch: each, removed: { who: "a", why: "b", millis: 0 } },
});
const idsOf = (known: KnownSwitches) => known.current().all.map(({ id }) => id);
const acme = aSwitch("customer", "acme");
const everything = aSwitch("everything", "");

describe("the switches that a node knows", () => {
  it("are those of its disk before anything is read, and stay when the store does not have them", () => {
    const known = new KnownSwitches([acme]);
    known.look(0);
    assert.deepStrictEqual(idsOf(known), ["customer-acme"]);
    known.apply([on(everything)]);
    assert.deepStrictEqual(known.look(0), { added: [everything], removed: [] });
    assert.deepStrictEqual(idsOf(known), ["customer-acme", "everything"]);
  });

  it("go when their removal is read, in the order of the store", () => {
    const known = new KnownSwitches([]);
    known.apply([on(acme), off(acme), on(everything)]);
    known.look(0);
    assert.deepStrictEqual(idsOf(known), ["everything"]);
    known.apply([{ id: "everything", revision: 4, stored: "deleted" }]);
    assert.deepStrictEqual(known.look(0), { added: [], removed: [everything] });
  });

  it("stay as they were known when an entry cannot be read", () => {
    const known = new KnownSwitches([]);
    known.apply([on(acme)]);
    known.look(0);
    assert.deepStrictEqual(known.apply([{ id: acme.id, revision: 3, stored: "unreadable" }]), [acme.id]);
    assert.isUndefined(known.look(0));
    assert.deepStrictEqual(idsOf(known), ["customer-acme"]);
  });

  it("tell of a change once, and nothing while nothing changes", () => {
    const known = new KnownSwitches([]);
    assert.isUndefined(known.look(0));
    known.apply([on(acme)]);
    assert.isDefined(known.look(0));
    const set = known.current();
    assert.isUndefined(known.look(1));
    assert.strictEqual(known.current(), set);
    const wider = { ...acme, stops: "both" } as const;
    known.apply([on(wider, 2)]);
    assert.deepStrictEqual(known.look(2), { added: [wider], removed: [acme] });
  });

  it("end by the clock, and warn of it once", () => {
    const short = aSwitch("customer", "acme", { sinceMillis: 0, untilMillis: 100_000 });
    const known = new KnownSwitches([]);
    known.apply([on(short)]);
    known.look(0);
    assert.deepStrictEqual(known.takeEnding(79_999), []);
    assert.deepStrictEqual(known.takeEnding(80_000), [short]);
    assert.deepStrictEqual(known.takeEnding(81_000), []);
    // Given more time, it is warned of anew when that is nearly over.
    const longer = { ...short, untilMillis: 200_000 };
    known.apply([on(longer, 2)]);
    known.look(82_000);
    assert.deepStrictEqual(known.takeEnding(82_000), []);
    assert.deepStrictEqual(known.takeEnding(190_000), [longer]);
    assert.deepStrictEqual(known.takeExpired(199_999), []);
    assert.deepStrictEqual(known.look(200_000), { added: [], removed: [longer] });
    assert.deepStrictEqual(known.takeExpired(200_000), [longer]);
    assert.deepStrictEqual(known.takeExpired(200_001), []);
  });
});
