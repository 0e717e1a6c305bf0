/** Reads of the control API at a steady pace while something else goes on, and how long each took. */

const everyMillis = 100;
const timeoutMillis = 10_000;
const paths = ["/healthz", "/readyz", "/v1/limits", "/v1/jobs/bench-customer-00000"];

export class ControlReads implements Disposable {
  readonly #millis: Array<number> = [];
  readonly #url: string;
  readonly #timer: NodeJS.Timeout;
  #next = 0;

  constructor(url: string) {
    this.#url = url;
    this.#timer = setInterval(() => void this.#read(), everyMillis);
  }

  get count(): number {
    return this.#millis.length;
  }

  /** One that failed took as long as it may. */
  p99Millis(): number {
    const sorted = this.#millis.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? timeoutMillis;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const path = paths[this.#next++ % paths.length]!;
    const began = performance.now();
    try {
      const response = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(timeoutMillis) });
      await response.arrayBuffer();
      this.#millis.push(performance.now() - began);
    } catch {
      this.#millis.push(timeoutMillis);
    }
  }
}

interface Limit {
  readonly name: string;
  readonly value: number;
  readonly usage?: number | null;
}

/** What a limit is used for now; undefined when the node does not say. */
export const usageOfLimit = async (url: string, name: string): Promise<Limit | undefined> => {
  const response = await fetch(`${url}/v1/limits`, { signal: AbortSignal.timeout(timeoutMillis) });
  const { limits } = (await response.json()) as { readonly limits: ReadonlyArray<Limit> };
  return limits.find((limit) => limit.name === name && typeof limit.usage === "number");
};

/** 0 open … 3 closed; undefined while it is not told. */
export const admissionState = async (url: string): Promise<number | undefined> => {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(timeoutMillis) });
  const line = /^spillway_admission_state (\d)/m.exec(await response.text());
  return line === null ? undefined : Number(line[1]);
};
