import { Effect } from "effect";
import { HttpServerResponse, type HttpServerRequest } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { AuditTrail } from "../audit-port.ts";
import { accountIn, textOf } from "../audited.ts";
import { SpillwayApi } from "../contract.ts";
import { BadRequest, Conflict } from "../failures.ts";
import { JobTransactions, type TransactionNote } from "../job-transactions-port.ts";
import { readJson } from "./jobs.ts";
import { unavailable } from "./node.ts";

export const JobTransactionsHandlers = HttpApiBuilder.group(
  SpillwayApi,
  "jobTransactions",
  Effect.fn(function* (handlers) {
    const transactions = yield* JobTransactions;
    const trail = yield* AuditTrail;

    /** The request's own entries do not hold its body: the jobs are named in this one, before anything is done. */
    const note = (request: HttpServerRequest.HttpServerRequest) => (about: TransactionNote) => {
      const { who, why } = accountIn(request);
      return trail.append({
        kind: "request.asked",
        who,
        why: about.reason === undefined ? why : textOf(about.reason),
        from: "",
        what: "change push jobs",
        detail: detailOf(about),
      });
    };

    const change = Effect.fn("api.changeJobs")(function* (request: HttpServerRequest.HttpServerRequest) {
      const input = yield* readJson(request, "A transaction");
      const answer = yield* transactions.change(input, note(request)).pipe(
        Effect.catchTags({
          InvalidTransaction: ({ problems }) => invalid(problems),
          TransactionConflict: ({ problems }) => conflicting(problems),
          ApiUnavailable: unavailable,
        }),
      );
      return HttpServerResponse.jsonUnsafe(answer);
    });

    return handlers.handleRaw("changeJobs", ({ request }) => change(request));
  }),
);

const detailOf = ({ put, remove }: TransactionNote): string =>
  [
    ...(put.length === 0 ? [] : [`put ${put.join(", ")}`]),
    ...(remove.length === 0 ? [] : [`remove ${remove.join(", ")}`]),
  ].join("; ");

const invalid = (problems: ReadonlyArray<string>) =>
  Effect.fail(
    new BadRequest({
      error: {
        code: "invalid_transaction",
        message: `Nothing was stored, the transaction is not valid: ${firstOf(problems)}`,
        problems,
      },
    }),
  );

const conflicting = (problems: ReadonlyArray<string>) =>
  Effect.fail(
    new Conflict({
      error: {
        code: "revision_mismatch",
        message: `Nothing was stored: ${firstOf(problems)} Read these jobs again, then repeat.`,
        problems,
      },
    }),
  );

const firstOf = (problems: ReadonlyArray<string>) => problems.slice(0, 3).join("; ");
