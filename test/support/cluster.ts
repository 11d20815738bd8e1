import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { SERVICE_NAMES, type ServiceName } from "../../config/env.ts";
import { eventually } from "./roost.ts";
import { serverUrl } from "./servers.ts";

const ROOT = new URL("../../", `file://${__filename}`).pathname;

/** How often a process is started until it is given up. */
const STARTS = 4;

/** A process of `node services/main.ts`. */
export interface ServiceProcess {
  service: string;
  nodeId: string;
  pid: number;
  /** The sum of a counter or gauge over its labels. */
  metric(name: string): Promise<number>;
  /** Ends it at once and without warning. */
  kill(): Promise<void>;
}

/** Services as processes of their own, which find each other over NATS; clients come in through HTTP. */
export class Cluster {
  readonly url: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children = new Set<ChildProcess>();

  private constructor(env: NodeJS.ProcessEnv, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#env = { ...env, PORT: String(port), NODE_OPTIONS: "" };
  }

  /** Starts a process for each service named (the five, where none is). */
  static async start(
    env: NodeJS.ProcessEnv,
    services: readonly ServiceName[] = SERVICE_NAMES,
  ): Promise<Cluster> {
    const cluster = new Cluster({ ...process.env, NATS_URL: serverUrl("NATS"), ...env }, await freePort());
    await Promise.all(services.map((service) => cluster.spawn(service)));
    if (services.includes("gateway")) await cluster.ready();
    return cluster;
  }

  /** Waits until the gateway has found every service. */
  async ready(): Promise<void> {
    await eventually(async () => (await fetch(`${this.url}/health/ready`)).ok, "a gateway that is ready");
  }

  /**
   * Starts one more process of a service, and waits until it is ready. One that ends because a server did not answer in
   * time, on a busy machine, is started again, as whoever runs processes does.
   */
  async spawn(service: ServiceName, env: NodeJS.ProcessEnv = {}): Promise<ServiceProcess> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#spawn(service, env);
      } catch (error) {
        if (tries === STARTS || !String(error).includes("timeout expired")) throw error;
      }
    }
  }

  async #spawn(service: ServiceName, env: NodeJS.ProcessEnv): Promise<ServiceProcess> {
    const nodeId = `${service}-${randomBytes(4).toString("hex")}`;
    const child = spawn("node", ["services/main.ts"], {
      cwd: ROOT,
      env: {
        ...this.#env,
        NODE_ID: nodeId,
        ...env,
        SERVICES: service,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    const said: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
    const { metricsPort } = await new Promise<{ metricsPort: number }>((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) =>
        line.startsWith('{"ready":true') ? resolve(JSON.parse(line)) : said.push(line),
      );
      child.once("exit", (code) =>
        reject(new Error(`${service} ended with ${code}: ${said.slice(-5).join("\n")}`)),
      );
    });
    return {
      service,
      nodeId,
      pid: child.pid ?? 0,
      metric: async (name) => {
        const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
        const lines = (await answer.text()).split("\n").filter((line) => /^[^{ ]*/.exec(line)?.[0] === name);
        return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
      },
      kill: async () => {
        const exit = once(child, "exit");
        child.kill("SIGKILL");
        await exit;
      },
    };
  }

  /** Stops all processes; each must end in order. */
  async stop(): Promise<void> {
    const codes = await Promise.all(
      [...this.#children].map(async (child) => {
        const exit = once(child, "exit");
        child.kill("SIGTERM");
        return (await exit)[0];
      }),
    );
    expect(codes.filter((code) => code !== 0)).toEqual([]);
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
