/** Which of one customer's sequence numbers have come, one bit each. */
export class SeenSequences {
  private bits = new Uint8Array(1_024);
  count = 0;
  highest = -1;

  /** Whether it is new. */
  add(seq: number): boolean {
    const at = seq >>> 3;
    const bit = 1 << (seq & 7);
    if (at >= this.bits.length) this.grow(at);
    if ((this.bits[at]! & bit) !== 0) return false;
    this.bits[at]! |= bit;
    this.count += 1;
    this.highest = Math.max(this.highest, seq);
    return true;
  }

  has(seq: number): boolean {
    return ((this.bits[seq >>> 3] ?? 0) & (1 << (seq & 7))) !== 0;
  }

  private grow(at: number): void {
    const grown = new Uint8Array(Math.max(this.bits.length * 2, at + 1));
    grown.set(this.bits);
    this.bits = grown;
  }
}
