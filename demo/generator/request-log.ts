import { customerName, customerNameBytes } from "./customer-name.ts";
import { type RayIds, rayIds } from "./ray-id.ts";
import { mix32, seededRandom } from "./seeded-random.ts";
import { customerOffset, makeVisits, rayIdOffset, timestampOffset, type Visit } from "./templates.ts";

/** Visits that alternate in the log at any moment. */
const visitsAtOnce = 4;

/** 2024-11-14T11:43:00Z, the beginning of the incident that Spillway is about; epoch seconds. */
const firstSecond = 1_731_584_580;

/** Half a millisecond from record to record. */
const microsBetween = 500;

/**
 * Realistic `http_requests` records by seed. What a body holds is a function of the seed and of its first index, so it
 * can be made again. Lines are copied from prepared ones and a few bytes are filled in: no JSON is built per record.
 */
export class RequestLog {
  readonly rayIds: RayIds;
  readonly #seed: number;
  readonly #visits: ReadonlyArray<Visit>;
  readonly #lineBytesMax: number;

  /** @param options.customerField whether each record names its customer, for mixed bodies */
  constructor(options: { readonly seed: number; readonly customerField: boolean }) {
    this.#seed = options.seed;
    this.rayIds = rayIds(options.seed);
    this.#visits = makeVisits(options.seed, options.customerField ? customerName(0) : undefined);
    this.#lineBytesMax = Math.max(...this.#visits.flat().map(({ length }) => length));
  }

  /**
   * `records` lines with the indices from `first` on.
   *
   * @param customerOf the customer of each record; only with `customerField`
   */
  body(first: number, records: number, customerOf?: (index: number) => number): Buffer {
    const target = Buffer.allocUnsafe(records * this.#lineBytesMax);
    const random = seededRandom(mix32(this.#seed) ^ mix32(first + 1));
    const nextVisit = (): Visit => this.#visits[random(this.#visits.length)] as Visit;
    const open = Array.from({ length: visitsAtOnce }, () => ({ visit: nextVisit(), at: 0 }));
    let end = 0;
    for (let index = first; index < first + records; index++) {
      const place = open[random(visitsAtOnce)] as { visit: Visit; at: number };
      if (place.at === place.visit.length) {
        place.visit = nextVisit();
        place.at = 0;
      }
      const template = place.visit[place.at++] as Buffer;
      target.set(template, end);
      this.rayIds.write(index, target, end + rayIdOffset);
      writeTimestamp(index, target, end + timestampOffset);
      if (customerOf !== undefined) customerNameBytes(customerOf(index), target, end + customerOffset);
      end += template.length;
    }
    return target.subarray(0, end);
  }
}

const writeTimestamp = (index: number, target: Uint8Array, offset: number): void => {
  const micros = index * microsBetween + (mix32(index) % microsBetween);
  const seconds = Math.floor(micros / 1_000_000);
  const rest = micros - seconds * 1_000_000;
  const second = firstSecond + seconds;
  const high = Math.floor(second / 100_000);
  writeDigits(high, 5, target, offset);
  writeDigits(second - high * 100_000, 5, target, offset + 5);
  writeDigits(rest, 6, target, offset + 10);
  // Nanoseconds stay 000, as in logs of clocks that tick in microseconds.
};

const writeDigits = (value: number, count: number, target: Uint8Array, offset: number): void => {
  for (let place = count - 1, rest = value; place >= 0; place--) {
    const tenth = (rest / 10) | 0;
    target[offset + place] = 48 + rest - tenth * 10;
    rest = tenth;
  }
};
