import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

/** A server in a container, reachable from this machine. */
export interface ServerContainer {
  url: string;
  stop(): Promise<void>;
}

const PING_BOUND_MS = 1_500;
const STARTUP_BOUND_MS = 120_000;

/** Whether a Docker engine answers on this machine, known within two seconds. */
export async function dockerAnswers(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const answers = await Promise.all(engineAddresses(env).map(ping));
  return answers.includes(true);
}

/** Postgres 18 with some settings, whose role and database are `roost`; the role may do everything. */
export function postgresContainer(
  secret: string,
  settings: Readonly<Record<string, number>>,
): Promise<ServerContainer> {
  return runContainer({
    image: "postgres:18",
    port: 5432,
    command: [
      "postgres",
      "-c",
      "wal_level=logical",
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    environment: { POSTGRES_USER: "roost", POSTGRES_DB: "roost", POSTGRES_PASSWORD: secret },
    url: (address) => `postgres://roost:${secret}@${address}/roost`,
  });
}

/** One standalone Redis that keeps nothing. */
export function redisContainer(secret: string): Promise<ServerContainer> {
  return runContainer({
    image: "redis:7",
    port: 6379,
    command: ["redis-server", "--requirepass", secret, "--save", "", "--appendonly", "no"],
    url: (address) => `redis://:${secret}@${address}`,
  });
}

export function natsContainer(secret: string): Promise<ServerContainer> {
  return runContainer({
    image: "nats:2",
    port: 4222,
    command: ["--user", "roost", "--pass", secret],
    url: (address) => `nats://roost:${secret}@${address}`,
  });
}

/** Through testcontainers, which removes the container even when this process is killed. */
async function runContainer(options: {
  image: string;
  port: number;
  command: string[];
  environment?: Record<string, string>;
  url: (address: string) => string;
}): Promise<ServerContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const started = await new GenericContainer(options.image)
    .withExposedPorts(options.port)
    .withEnvironment(options.environment ?? {})
    .withCommand(options.command)
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(STARTUP_BOUND_MS)
    .start();
  return {
    url: options.url(`${started.getHost()}:${started.getMappedPort(options.port)}`),
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
