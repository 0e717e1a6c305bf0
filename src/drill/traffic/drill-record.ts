/** The records that drills send: NDJSON, one customer's sequence without a gap, and when each was offered. */

export const drillDataset = "http_requests";

/** Of the drill's customer number `index`. @param run a few hex digits of this run's own */
export const customerName = (run: string, index: number): string => `drill-${run}-${String(index).padStart(4, "0")}`;

/** Of somebody without a push job. */
export const strangerName = (run: string, index: number): string => `stranger-${run}-${String(index).padStart(6, "0")}`;

export const isStranger = (customer: string): boolean => customer.startsWith("stranger-");

export interface DrillRecord {
  readonly Customer: string;
  /** From 0. */
  readonly seq: number;
  /** Epoch millis. */
  readonly sent: number;
}

/** Builds bodies; the filling does not compress, so that what is sent is about what the log holds. */
export class BodyBuilder {
  private readonly filling: string;
  private readonly fillingBytes: number;
  private at = 0;

  /** @param noise characters that need no escape in JSON, as many as a compressor can look back, or more */
  constructor(noise: string, recordBytes: number) {
    this.filling = noise;
    // What the fields themselves take.
    this.fillingBytes = Math.max(0, recordBytes - 90);
  }

  line(customer: string, seq: number, sent: number): string {
    if (this.at + this.fillingBytes > this.filling.length) this.at = 0;
    const filling = this.filling.slice(this.at, this.at + this.fillingBytes);
    this.at += this.fillingBytes;
    return `{"Customer":"${customer}","seq":${seq},"sent":${sent},"filling":"${filling}"}\n`;
  }

  /** Records `first` … `first + records - 1` of a customer. */
  body(customer: string, first: number, records: number, sent: number): string {
    let text = "";
    for (let i = 0; i < records; i++) text += this.line(customer, first + i, sent);
    return text;
  }
}

/** Undefined: not one of ours. */
export const parseRecord = (line: string): DrillRecord | undefined => {
  try {
    const { Customer, sent, seq } = JSON.parse(line) as Partial<DrillRecord>;
    const isOurs = typeof Customer === "string" && Number.isInteger(seq) && typeof sent === "number";
    return isOurs ? { Customer, seq: seq!, sent } : undefined;
  } catch {
    return undefined;
  }
};
