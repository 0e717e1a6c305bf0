import { Console, Effect, Option } from "effect";
import { Argument, Command } from "effect/cli";
import type { DatasetsReport } from "../api/reports.ts";
import type { Dataset } from "../domain/dataset.ts";
import { openClient } from "./client.ts";
import { failed } from "./command-failure.ts";
import { connectionTo, jsonFlag, urlFlag } from "./connection.ts";
import { formatTable, grouped } from "./table.ts";

export const datasets = Command.make(
  "datasets",
  {
    name: Argument.String("name").pipe(
      Argument.withDescription("Show the fields of this one (default: list all)"),
      Argument.optional,
    ),
    url: urlFlag,
    json: jsonFlag,
  },
  Effect.fn(function* (flags) {
    const client = yield* openClient(yield* connectionTo(flags.url));
    const body = (yield* client.ask({ method: "GET", path: "/v1/datasets" })).body as DatasetsReport;
    if (Option.isNone(flags.name)) {
      return yield* Console.log(flags.json ? JSON.stringify(body) : listText(body));
    }
    const name = flags.name.value;
    const dataset = body.datasets.find((each) => each.name === name);
    if (dataset === undefined) {
      const message = `No dataset ${name} in the catalogue. spillway datasets lists those that are in it.`;
      return yield* failed(message);
    }
    yield* Console.log(flags.json ? JSON.stringify(dataset) : fieldsText(dataset));
  }, Effect.scoped),
).pipe(
  Command.withDescription(
    "The catalogue of datasets that is in force on a node. It is part of the configuration: a file in " +
      "config/datasets of a control node is proposed, judged and rolled out like a change of push jobs.",
  ),
  Command.withShortDescription("The catalogue of datasets in force"),
  Command.withExamples([
    { command: "spillway datasets", description: "All of them" },
    { command: "spillway datasets http_requests", description: "The fields of one" },
  ]),
);

const listText = ({ datasets: all, number }: DatasetsReport): string => {
  if (number === 0) return "No configuration is in force on this node yet.";
  if (all.length === 0) return `No dataset is in the catalogue of configuration ${number}.`;
  const columns = ["dataset", "scope", "customer field", "time field", "fields"].map(
    (title) => ({ title, align: title === "fields" ? "right" : "left" }) as const,
  );
  const rows = all.map(({ customerField, fields, name, scope, timestampField }) => [
    name,
    scope ?? "-",
    customerField ?? "-",
    timestampField ?? "-",
    grouped(Object.keys(fields).length),
  ]);
  return formatTable(columns, rows);
};

const fieldsText = ({ description, fields, name }: Dataset): string => {
  const columns = ["field", "type", "description"].map((title) => ({ title, align: "left" }) as const);
  const rows = Object.entries(fields).map(([field, about]) => [field, about.type, about.description]);
  return [`${name}: ${description ?? "no description"}`, "", formatTable(columns, rows)].join("\n");
};
