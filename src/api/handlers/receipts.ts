import { Effect } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { SpillwayApi } from "../contract.ts";
import { BadRequest } from "../failures.ts";
import { receiptsPageMax } from "../receipts-contract.ts";
import { type InvalidReceiptQuery, ReceiptsView } from "../receipts-port.ts";
import { unavailable } from "./node.ts";

const invalid = ({ detail }: InvalidReceiptQuery) =>
  Effect.fail(new BadRequest({ error: { code: "invalid_query", message: detail } }));

export const ReceiptsHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "receipts",
  Effect.fn(function* (handlers) {
    const view = yield* ReceiptsView;
    return handlers.handleAll({
      listReceipts: ({ query }) =>
        view
          .list({ ...query, limit: query.limit ?? receiptsPageMax })
          .pipe(Effect.catchTags({ InvalidReceiptQuery: invalid, ApiUnavailable: unavailable })),
    });
  }),
);
