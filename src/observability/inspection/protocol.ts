/** How a watcher and a node speak to each other. */

/** The subprotocol that the server chooses. A browser offers it together with `bearer.<base64url of the token>`. */
export const inspectProtocol = "spillway.inspect";

/** Why a WebSocket was closed; 4000 and more are an application's own. */
export const closings = { gone: 4404, tooMany: 4429, stopping: 1001 } as const;

export const inspectPath = (job: string): string => `/v1/buffers/${encodeURIComponent(job)}/inspect`;
