import { Effect, Semaphore } from "effect";
import type { DeadLettersUnavailable } from "../actors/ports/dead-letters.ts";
import type { StoredMessage } from "./direct-get.ts";
import { jobOfDead } from "./subjects.ts";

/** The next messages of a customer after a position; empty at the end. */
type Scan = (customer: string, after: number) => Effect.Effect<ReadonlyArray<StoredMessage>, DeadLettersUnavailable>;

/** Customers whose letters are counted at the same time; the one counted first is forgotten first. */
const customersMax = 1_000;

/**
 * How many letters each customer has. The server bounds messages per subject and bytes of the whole stream, nothing in
 * between, so this is counted here: read once per customer that has letters (as many bytes as its share at most), then
 * kept up by its own writes. Another node's writes for the same customer are seen when a bound is met.
 */
export class LetterCounts {
  private readonly scan: Scan;
  private readonly customers = new Map<string, CustomerLetters>();

  constructor(scan: Scan) {
    this.scan = scan;
  }

  /** One at a time per customer: between a look at the count and the write no other letter of it comes in. */
  within<A, E>(customer: string, use: (letters: CustomerLetters) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const letters = this.of(customer);
      return letters.oneAtATime.withPermit(use(letters));
    });
  }

  /** Letters were removed: counted anew when they are next asked for. */
  forget(): void {
    for (const letters of this.customers.values()) letters.forget();
  }

  private of(customer: string): CustomerLetters {
    const found = this.customers.get(customer);
    if (found !== undefined) return found;
    if (this.customers.size >= customersMax) {
      const [oldest] = this.customers.keys();
      if (oldest !== undefined) this.customers.delete(oldest);
    }
    const made = new CustomerLetters((after) => this.scan(customer, after));
    this.customers.set(customer, made);
    return made;
  }
}

/** One customer's letters: how many per job, and bytes in all. */
export class CustomerLetters {
  readonly oneAtATime = Semaphore.makeUnsafe(1);
  private readonly scan: (after: number) => ReturnType<Scan>;
  private perJob: Map<string, number> | undefined;
  private total = 0;

  constructor(scan: (after: number) => ReturnType<Scan>) {
    this.scan = scan;
  }

  lettersOf(job: string): number {
    return this.perJob?.get(job) ?? 0;
  }

  bytes(): number {
    return this.total;
  }

  add(job: string, bytes: number): void {
    this.perJob?.set(job, this.lettersOf(job) + 1);
    this.total += bytes;
  }

  forget(): void {
    this.perJob = undefined;
  }

  get known(): Effect.Effect<void, DeadLettersUnavailable> {
    return Effect.suspend(() => (this.perJob === undefined ? this.countAnew : Effect.void));
  }

  get countAnew(): Effect.Effect<void, DeadLettersUnavailable> {
    return Effect.gen({ self: this }, function* () {
      const perJob = new Map<string, number>();
      let total = 0;
      for (let after = 0; ;) {
        const messages = yield* this.scan(after);
        const last = messages.at(-1);
        if (last === undefined) break;
        for (const { data, subject } of messages) {
          const job = jobOfDead(subject);
          perJob.set(job, (perJob.get(job) ?? 0) + 1);
          total += data.length;
        }
        after = last.sequence;
      }
      this.perJob = perJob;
      this.total = total;
    });
  }
}
