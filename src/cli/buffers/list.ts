import { Console, Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { type BufferPage, type BufferSummary, bufferStates } from "../../api/buffer-reports.ts";
import { followPages } from "../../api/follow-pages.ts";
import { type ApiClient, openClient } from "../client.ts";
import { connectionTo, jsonFlag, urlFlag } from "../connection.ts";
import { formatTable, grouped, shortDuration } from "../table.ts";

interface ListFlags {
  readonly state: Option.Option<string>;
  readonly customer: Option.Option<string>;
  readonly limit: number;
}

export const list = Command.make(
  "list",
  {
    state: Flag.Literals("state", bufferStates).pipe(
      Flag.withDescription("Only buffers in this state: of delivery, of flow, disabled, or restarting"),
      Flag.optional,
    ),
    customer: Flag.String("customer").pipe(Flag.withDescription("Only those of this customer"), Flag.optional),
    limit: Flag.Int("limit").pipe(Flag.withDescription("Print at most so many"), Flag.withDefault(1_000)),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const { buffers, more } = yield* listBuffers(client, flags);
    if (flags.json) return yield* Console.log(JSON.stringify({ buffers, more }));
    if (buffers.length === 0) return yield* Console.log("No such buffers on this node.");
    yield* Console.log(formatBuffers(buffers));
    if (more) yield* Console.log(`… and more: --limit shows more than ${flags.limit}`);
  }, Effect.scoped),
).pipe(
  Command.withDescription("List the buffers of this node, ordered by push job. Each node lists its own."),
  Command.withShortDescription("List the buffers of this node"),
  Command.withExamples([
    { command: "spillway buffers list --state quarantined", description: "What somebody has to look at" },
    { command: "spillway buffers list --state overloaded --json", description: "For scripts" },
  ]),
);

const listBuffers = Effect.fnUntraced(function* (client: ApiClient, { customer, limit, state }: ListFlags) {
  const { found, more } = yield* followPages((page) => {
    const query = new URLSearchParams({
      ...page,
      ...(Option.isSome(state) ? { state: state.value } : {}),
      ...(Option.isSome(customer) ? { customer: customer.value } : {}),
    });
    return client.ask({ method: "GET", path: `/v1/buffers?${query.toString()}` }).pipe(
      Effect.map(({ body }) => {
        const { buffers, next } = body as BufferPage;
        return { items: buffers, next };
      }),
    );
  }, limit);
  return { buffers: found, more };
});

const right = new Set(["backlog", "lag", "window", "attempts"]);

const formatBuffers = (buffers: ReadonlyArray<BufferSummary>): string =>
  formatTable(
    ["job", "customer", "delivery", "flow", "backlog", "lag", "window", "attempts", "last error"].map((title) => ({
      title,
      align: right.has(title) ? "right" : "left",
    })),
    buffers.map((buffer) => [
      buffer.job,
      buffer.customer,
      buffer.enabled ? buffer.delivery : `${buffer.delivery} (disabled)`,
      buffer.flow ?? "-",
      grouped(buffer.backlogRecords),
      buffer.backlogRecords === 0 ? "-" : shortDuration(buffer.lagMillis),
      grouped(buffer.windowBytes),
      String(buffer.attempts),
      buffer.lastError ?? "",
    ]),
  );
