import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { CommandReport } from "../domain/buffer-command.ts";
import { BufferPage, BufferReport, BufferState, FlowState } from "./buffer-reports.ts";
import { BadRequest, Conflict, NotFound, Unavailable } from "./failures.ts";
import { pageQuery } from "./page-query.ts";

const job = { job: Schema.String };
const error = [BadRequest, NotFound, Conflict, Unavailable];

export class BuffersGroup extends HttpApiGroup.make("buffers").add(
  HttpApiEndpoint.get("listBuffers", "/v1/buffers", {
    query: {
      state: Schema.optionalKey(BufferState),
      flow: Schema.optionalKey(FlowState),
      customer: Schema.optionalKey(Schema.String),
      ...pageQuery,
    },
    success: BufferPage,
    error: BadRequest,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Buffers of this node, ordered by push job",
      description: "Each node lists the buffers of the partitions that it owns: ask every node for all of them.",
    }),
  ),
  HttpApiEndpoint.get("getBuffer", "/v1/buffers/:job", {
    params: job,
    success: BufferReport,
    error: NotFound,
  }).annotateMerge(OpenApi.annotations({ summary: "Everything that this node knows of one buffer" })),
  HttpApiEndpoint.post("resumeBuffer", "/v1/buffers/:job/resume", {
    params: job,
    success: CommandReport,
    error,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Go on now: out of quarantine or suspension, or without waiting for the next retry",
      description: "Reaches the owner of the push job's partition, whichever node that is.",
    }),
  ),
  HttpApiEndpoint.post("quarantineBuffer", "/v1/buffers/:job/quarantine", {
    params: job,
    success: CommandReport,
    error,
  }).annotateMerge(OpenApi.annotations({ summary: "Isolate a buffer: nothing is pushed until somebody resumes it" })),
  HttpApiEndpoint.post("skipBuffer", "/v1/buffers/:job/skip", {
    params: job,
    payload: Schema.Struct({
      /** `now`, a time with its zone such as `2026-11-23T07:00:00Z`, or a sequence of the log. */
      to: Schema.Union([Schema.String, Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))]),
    }),
    success: CommandReport,
    error,
  }).annotateMerge(
    OpenApi.annotations({
      summary: "Give up the oldest part of a backlog: delivery goes on from there, and a receipt says what was passed",
    }),
  ),
) {}
