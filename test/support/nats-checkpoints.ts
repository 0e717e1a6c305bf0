import { Effect, Layer, type Scope } from "effect";
import { type Checkpoint, Checkpoints, type Claim, type Row } from "../../src/actors/ports/checkpoints.ts";
import { Log } from "../../src/actors/ports/log.ts";
import { emptyBooks } from "../../src/domain/books.ts";
import type { Nats } from "../../src/streams/nats.ts";
import { layerNats, layerStores, prepareStreams, quiet } from "./world.ts";

type Stores = Layer.Success<ReturnType<typeof layerStores>> | Nats;

/** One partition and its control stream; `url` may lead through a proxy. */
export const withStores = <A, E>(url: string, body: Effect.Effect<A, E, Scope.Scope | Stores>, timeoutMillis = 2_000) =>
  prepareStreams(1).pipe(Effect.andThen(body), Effect.provide(layerStoresAt(url, timeoutMillis)));

export const layerStoresAt = (url: string, timeoutMillis = 2_000) =>
  layerStores({ timeoutMillis }).pipe(Layer.provideMerge(layerNats(url)), Layer.provideMerge(quiet));

export const rowOf = (i: number, over: Partial<Row> = {}): Row => ({
  job: `job-${i}`,
  pairKey: `customer-${i}.http_requests`,
  revision: 3,
  start: 1,
  cursor: i,
  counted: i + 10,
  cuts: [i + 1, i + 5],
  books: { ...emptyBooks, accepted: { records: i, bytes: 10 * i }, pending: { records: i, bytes: 10 * i } },
  snapshot: { version: 1, attempt: i },
  deleted: false,
  lastSuccessMillis: undefined,
  lastErrorMillis: 1_732_580_000_000,
  lastError: "503",
  ...over,
});

export const rows = (count: number, over: Partial<Row> = {}) => Array.from({ length: count }, (_, i) => rowOf(i, over));
export const byJob = (all: ReadonlyArray<Row>) => all.toSorted((a, b) => (a.job < b.job ? -1 : 1));

export const checkpointOf = ({ register }: Claim, scan: number, over: Partial<Checkpoint> = {}): Checkpoint => ({
  register: { ...register, scan, lowWater: scan },
  rows: [],
  receipts: [],
  ...over,
});

export const claimAs = Effect.fnUntraced(function* (owner: string) {
  const checkpoints = yield* Checkpoints;
  const log = yield* Log;
  return yield* checkpoints.claim(0, owner, yield* log.describe(0));
});

export const inspect = Effect.gen(function* () {
  const stored = yield* (yield* Checkpoints).inspect(0);
  return { ...stored, rows: byJob(stored.rows) };
});
