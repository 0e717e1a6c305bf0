import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";
import { natsConfiguration, type NatsSettings, type NatsUnderTest } from "./nats-under-test.ts";

/** Made of our own nats-server by `scripts/engine.sh`; never pulled. */
const image = "nats:2.15.1-alpine";

export const startContainerNats = async (settings: Partial<NatsSettings> = {}): Promise<NatsUnderTest> => {
  const container = await new GenericContainer(image)
    .withCopyContentToContainer([
      { content: natsConfiguration(settings, "0.0.0.0:4222", "/data"), target: "/nats.conf" },
    ])
    .withCommand(["-c", "/nats.conf"])
    .withExposedPorts(4222)
    // The default waits for a shell that the image does not have.
    .withWaitStrategy(Wait.forLogMessage("Server is ready"))
    .start();
  const client = await getContainerRuntimeClient();
  const own = client.container.getById(container.getId());
  let paused = false;
  const resume = async () => {
    if (!paused) return;
    paused = false;
    await own.unpause();
  };
  return {
    url: `nats://${container.getHost()}:${container.getMappedPort(4222)}`,
    pause: async () => {
      await own.pause();
      paused = true;
    },
    resume,
    [Symbol.asyncDispose]: async () => {
      await resume();
      await container.stop({ timeout: 0 });
    },
  };
};
