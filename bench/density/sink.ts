import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The destination of all push jobs: notes when a batch came in, by the clock of the process that asks. */
export class Sink implements AsyncDisposable {
  readonly url: string;
  batches = 0;
  records = 0;
  private readonly waiting = new Map<string, (millis: number) => void>();
  private readonly server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      const millis = performance.now();
      request.resume();
      request.on("end", () => {
        const customer = request.url?.slice(1) ?? "";
        this.batches += 1;
        this.records += Number(request.headers["spillway-records"]);
        this.waiting.get(customer)?.(millis);
        this.waiting.delete(customer);
        response.end();
      });
    });
  }

  static async start(): Promise<Sink> {
    const server = createServer();
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Sink(server);
  }

  /** When the next batch of a customer comes in. */
  next(customer: string): Promise<number> {
    return new Promise((resolve) => this.waiting.set(customer, resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
