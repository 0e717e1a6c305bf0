/** Uses of limits, measured now and then, with the highest that was seen. */
export class HighWater {
  private readonly measure: Readonly<Record<string, () => number>>;
  private readonly highest = new Map<string, number>();

  constructor(measure: Readonly<Record<string, () => number>>) {
    this.measure = measure;
  }

  sample(): void {
    for (const name of Object.keys(this.measure)) this.use(name);
  }

  /** The use now and the highest since the start; undefined: it is not measured. */
  use(name: string): { readonly usage: number; readonly highWater: number } | undefined {
    const usage = this.measure[name]?.();
    if (usage === undefined) return undefined;
    const highWater = Math.max(usage, this.highest.get(name) ?? 0);
    this.highest.set(name, highWater);
    return { usage, highWater };
  }
}
