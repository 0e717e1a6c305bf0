import type { PushTicket } from "./ticket.ts";

/** Tickets in the order in which they began; the oldest is at hand and any can be taken out, in constant time. */
export class TicketList {
  private oldest: PushTicket | undefined;
  private newest: PushTicket | undefined;

  first(): PushTicket | undefined {
    return this.oldest;
  }

  add(ticket: PushTicket): void {
    ticket.older = this.newest;
    if (this.newest === undefined) this.oldest = ticket;
    else this.newest.newer = ticket;
    this.newest = ticket;
  }

  /** Nothing happens when it is not in the list. */
  remove(ticket: PushTicket): void {
    const { newer, older } = ticket;
    if (older === undefined && this.oldest !== ticket) return;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    ticket.older = undefined;
    ticket.newer = undefined;
  }
}
