import type { RoutedAnswer, RoutedRequest } from "../api/routed-request.ts";
import type { ToMain } from "./messages.ts";

/** The control thread's end of the line to the main thread: requests in flight, by number, and no more than so many. */
export class MainLine {
  private readonly inFlight = new Map<number, (answer: RoutedAnswer) => void>();
  private readonly post: (message: ToMain, transfer: ReadonlyArray<ArrayBuffer>) => void;
  private readonly requestsMax: number;
  private lastId = 0;

  constructor(post: (message: ToMain, transfer: ReadonlyArray<ArrayBuffer>) => void, requestsMax: number) {
    this.post = post;
    this.requestsMax = requestsMax;
  }

  /** Undefined when too many are in flight already. The body is given away. */
  ask(request: RoutedRequest, onAnswer: (answer: RoutedAnswer) => void): number | undefined {
    if (this.inFlight.size >= this.requestsMax) return undefined;
    this.lastId += 1;
    this.inFlight.set(this.lastId, onAnswer);
    this.post({ type: "request", id: this.lastId, request }, request.body === undefined ? [] : [request.body.buffer]);
    return this.lastId;
  }

  /** The main thread may stop working on it; an answer that comes all the same is dropped. */
  forget(id: number): void {
    if (this.inFlight.delete(id)) this.post({ type: "forget", id }, []);
  }

  answered(id: number, answer: RoutedAnswer): void {
    const onAnswer = this.inFlight.get(id);
    this.inFlight.delete(id);
    onAnswer?.(answer);
  }
}
