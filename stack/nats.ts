import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { PHASE } from "./processes.ts";
import type { Program } from "./programs/index.ts";
import { Server } from "./server.ts";
import { assignPorts, type State } from "./state.ts";
import type { Supervisor } from "./supervisor.ts";

/** Starts NATS on loopback with the data directory's own secret: who can publish there can claim to be any user. */
export async function startNats(
  dataDir: string,
  state: State,
  options: { program: Program; supervisor: Supervisor },
): Promise<{ url: string; servers: Server[] }> {
  await assignPorts(state, ["nats"]);
  const port = state.ports.nats ?? 0;
  const file = join(dataDir, "nats.conf");
  const secret = state.secrets.nats;
  writeFileSync(file, `listen: "127.0.0.1:${port}"\nauthorization { user: roost, password: "${secret}" }\n`, {
    mode: 0o600,
  });
  const server = new Server(options.supervisor, {
    name: "nats",
    port,
    command: options.program.command,
    args: ["--config", file],
    env: options.program.env,
    logFile: join(dataDir, "logs", "nats.log"),
    signal: "SIGTERM",
    phase: PHASE.backends,
    graceMs: 5_000,
    isReady: () => greets(port),
  });
  await server.start();
  return { url: `nats://roost:${secret}@127.0.0.1:${port}`, servers: [server] };
}

/** A NATS server speaks first: a line that begins with INFO. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 2_000 });
    const answer = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("data", (data) => answer(data.toString("latin1").startsWith("INFO ")));
    socket.once("error", () => answer(false));
    socket.once("close", () => answer(false));
    socket.once("timeout", () => answer(false));
  });
}
