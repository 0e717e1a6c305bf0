import { Effect, Layer } from "effect";
import type { ReceiptReport } from "../../src/api/buffer-reports.ts";
import { InvalidReceiptQuery, type ReceiptsInput, ReceiptsView } from "../../src/api/receipts-port.ts";

/** Scripted receipts; `after` counts them. */
export class FakeReceipts {
  receipts: Array<ReceiptReport> = [];
  asked: Array<ReceiptsInput> = [];

  readonly layer = Layer.succeed(ReceiptsView, {
    list: (input) =>
      Effect.suspend(() => {
        this.asked.push(input);
        if (input.since === "nonsense") return Effect.fail(new InvalidReceiptQuery({ detail: "since: what?" }));
        const from = Number(input.after ?? 0);
        const receipts = this.receipts.slice(from, from + input.limit);
        const next = from + receipts.length;
        return Effect.succeed(next < this.receipts.length ? { receipts, next: String(next) } : { receipts });
      }),
  });
}
