import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

/** A server in a container, reachable from this machine. */
export interface RunningContainer {
  host: string;
  port: number;
  stop(): Promise<void>;
}

const PING_BOUND_MS = 1_500;

/** Whether a Docker engine answers on this machine, known within two seconds. */
export async function dockerAnswers(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const answers = await Promise.all(engineAddresses(env).map(ping));
  return answers.includes(true);
}

/**
 * Starts a container through testcontainers, which removes it even when this process is killed.
 * @throws when the image cannot be had or the port does not open
 */
export async function runContainer(options: {
  image: string;
  port: number;
  command?: string[];
  environment?: Record<string, string>;
}): Promise<RunningContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = new GenericContainer(options.image)
    .withExposedPorts(options.port)
    .withEnvironment(options.environment ?? {})
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(120_000);
  if (options.command !== undefined) container.withCommand(options.command);
  const started = await container.start();
  return {
    host: started.getHost(),
    port: started.getMappedPort(options.port),
    stop: async () => {
      await started.stop();
    },
  };
}

type Address = { socketPath: string } | { host: string; port: string };

function engineAddresses(env: NodeJS.ProcessEnv): Address[] {
  if (env.DOCKER_HOST) {
    const url = new URL(env.DOCKER_HOST);
    return [
      url.protocol === "unix:"
        ? { socketPath: url.pathname }
        : { host: url.hostname, port: url.port || "2375" },
    ];
  }
  const sockets = ["/var/run/docker.sock", join(homedir(), ".docker/run/docker.sock")];
  if (env.XDG_RUNTIME_DIR) sockets.push(join(env.XDG_RUNTIME_DIR, "docker.sock"));
  return sockets.map((socketPath) => ({ socketPath }));
}

function ping(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...address, path: "/_ping", timeout: PING_BOUND_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve(false));
    asked.end();
  });
}
