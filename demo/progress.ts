export interface ProgressNow {
  readonly total: number;
  readonly sent: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly backlog: number;
  readonly seconds: number;
}

/** Says how far it is: one line that is redrawn on a terminal, one line per second elsewhere. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  #saidAtSecond = -1;
  #open = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(now: ProgressNow): void {
    if (this.#out.isTTY) {
      this.#out.write(`\r\u001b[K${this.#line(now).slice(0, this.#out.columns - 1)}`);
      this.#open = true;
    } else if (Math.floor(now.seconds) > this.#saidAtSecond) {
      this.#saidAtSecond = Math.floor(now.seconds);
      this.#out.write(`${this.#line(now)}\n`);
    }
  }

  /** A line of its own, above the progress. */
  say(text: string): void {
    if (this.#open) this.#out.write("\r\u001b[K");
    this.#open = false;
    this.#out.write(`${text}\n`);
  }

  #line({ accepted, backlog, delivered, seconds, sent, total }: ProgressNow): string {
    const share = total === 0 ? 1 : Math.min(1, delivered / total);
    const bar = this.#out.isTTY ? `${"█".repeat(Math.round(share * 20)).padEnd(20, "░")} ` : "";
    return (
      `${bar}${seconds.toFixed(1).padStart(5)} s  sent ${number(sent)}  accepted ${number(accepted)}  ` +
      `delivered ${number(delivered)}  backlog ${number(backlog)}`
    );
  }
}

/** 200000 → `200,000`. */
export const number = (value: number): string => Math.round(value).toLocaleString("en");
