import { Agent, request } from "node:http";
import { configured, surgeJob } from "./workload.ts";

const lanes = 64;
const millisMax = 180_000;

/** Gives so many of the newcomers a push job each, as fast as the node takes them. Answers how many have one. */
export const configureNewcomers = async (url: string, port: number, wanted: number): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const deadline = Date.now() + millisMax;
  let next = 0;
  let made = 0;
  const lane = async () => {
    while (next < wanted && Date.now() < deadline) {
      const status = await put(agent, url, surgeJob(configured + next++, port));
      if (status >= 200 && status < 300) made += 1;
      // Refused is an answer too; a node that cannot take more is not asked at full speed.
      else await new Promise((resume) => setTimeout(resume, 200));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  agent.destroy();
  return made;
};

const put = (agent: Agent, url: string, job: { readonly id: string }): Promise<number> =>
  new Promise((resolve) => {
    const body = JSON.stringify(job);
    const sending = request(`${url}/v1/jobs/${job.id}`, {
      method: "PUT",
      agent,
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    sending.on("error", () => resolve(0));
    sending.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", () => resolve(0));
    });
    sending.end(body);
  });
