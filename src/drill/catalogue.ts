import type { Drill } from "./drill.ts";
import { bufferWave } from "./drills/buffer-wave.ts";
import { corruptSnapshot } from "./drills/corrupt-snapshot.ts";
import { deadControlPlane } from "./drills/dead-control-plane.ts";
import { diskFull } from "./drills/disk-full.ts";
import { emptyConfig } from "./drills/empty-config.ts";
import { explodingConfig } from "./drills/exploding-config.ts";
import { hotCustomer } from "./drills/hot-customer.ts";
import { nov14 } from "./drills/nov14.ts";
import { poisonRecord } from "./drills/poison-record.ts";
import { slowDestinations } from "./drills/slow-destinations.ts";

/** Every drill there is, in the order in which they are listed. */
export const drills: ReadonlyArray<Drill> = [
  nov14,
  emptyConfig,
  explodingConfig,
  bufferWave,
  corruptSnapshot,
  slowDestinations,
  hotCustomer,
  diskFull,
  poisonRecord,
  deadControlPlane,
];

export const drillNamed = (name: string): Drill | undefined => drills.find((drill) => drill.name === name);
