import { assert, describe, it } from "@effect/vitest";
import type { FaultName } from "../../../src/domain/drill-state.ts";
import type { Generated } from "../../../src/control/generate/generate.ts";
import { drillGenerator } from "../../../src/control/rollout/drill-generator.ts";
import type { Snapshot } from "../../../src/snapshot/snapshot.ts";

const withCatalogue = (bytes: number, enabled: number) => ({
  manifest: {
    segments: [],
    totals: { jobs: enabled, enabled, customers: enabled },
    datasets: {},
    catalogue: { hash: "0".repeat(64), bytes, entries: 0 },
  },
  blobs: new Map(),
});
const generated = (bytes: number) => withCatalogue(bytes, 8) as unknown as Generated;
const inForce = (bytes: number) => withCatalogue(bytes, 8) as unknown as Snapshot;

describe("a generator with a fault that waits for a new dataset", () => {
  const armed = new Set<FaultName>();
  const faults = () => drillGenerator({ isArmed: (name) => armed.has(name), isGuardOn: () => true });
  const enabled = ({ manifest }: Generated) => manifest.totals.enabled;

  it("does its work until there is one, and is empty from then on, whatever is in force by now", () => {
    armed.clear();
    armed.add("generator.emptyOnNewDataset");
    const generator = faults();
    assert.strictEqual(generator.armed(), "");
    assert.strictEqual(enabled(generator.generated(generated(100), inForce(100))), 8, "another change");
    assert.strictEqual(generator.armed(), "", "nothing is generated for its sake");
    assert.strictEqual(enabled(generator.generated(generated(180), inForce(100))), 0);
    assert.strictEqual(generator.armed(), "empty");
    assert.strictEqual(enabled(generator.generated(generated(180), inForce(180))), 0, "the empty one is in force");
    assert.strictEqual(enabled(generator.generated(generated(100), inForce(180))), 8, "the dataset was taken back");
    assert.strictEqual(generator.armed(), "");
  });

  it("is mended when it is disarmed", () => {
    armed.clear();
    armed.add("generator.emptyOnNewDataset");
    const generator = faults();
    generator.generated(generated(180), inForce(100));
    armed.clear();
    assert.strictEqual(generator.armed(), "");
    assert.strictEqual(enabled(generator.generated(generated(180), inForce(180))), 8);
  });
});
