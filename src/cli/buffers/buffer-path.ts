import { Argument } from "effect/cli";

export const jobArgument = Argument.String("job").pipe(Argument.withDescription("Id of the push job"));

export const bufferPath = (job: string): string => `/v1/buffers/${encodeURIComponent(job)}`;
