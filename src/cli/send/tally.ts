/** What became of the records of a `send`, counted as answers arrive. */
export class SendTally {
  /** Records whose request was begun at least once. */
  sent = 0;
  accepted = 0;
  unconfigured = 0;
  refused = 0;
  /** Refused lines that were not printed one by one. */
  unlisted = 0;
  /** Requests repeated after 429, 503 or a lost connection. */
  repeats = 0;

  /** Sent, and not answered: they may be stored or not. */
  get unanswered(): number {
    return this.sent - this.accepted - this.unconfigured - this.refused;
  }

  get isComplete(): boolean {
    return this.unanswered === 0 && this.refused === 0 && this.unconfigured === 0;
  }

  toJSON() {
    const { sent, accepted, unconfigured, refused, unanswered, repeats } = this;
    return { sent, accepted, unconfigured, refused, unanswered, repeats };
  }
}
