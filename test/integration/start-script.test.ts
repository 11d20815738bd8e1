import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeDataDir } from "../../stack/index.ts";
import { freePort } from "../support/cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

describe("npm start", () => {
  let shell: ChildProcess | undefined;
  /** The group of a shell that has ended is gone with it, unless it left something. */
  afterEach(() => {
    if (shell?.pid === undefined) return;
    try {
      process.kill(-shell.pid, "SIGKILL");
    } catch {}
  });

  it("stops all that it started when npm is asked to end, which tells the shell that it runs scripts in", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "roost-start-"));
    const line = `${scripts.start} --topology single --port ${await freePort()} --data ${dataDir} --no-repl`;
    const npms = spawn("sh", ["-c", line], {
      detached: true,
      cwd: ROOT,
      env: { ...process.env, ROOST_NO_REDIS: "1", ROOST_NO_NATS: "1", NODE_OPTIONS: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    shell = npms;
    let said = "";
    for await (const text of npms.stdout) {
      said += text;
      if (said.includes("Roost is ready")) npms.kill("SIGTERM");
    }
    expect(said).toContain("roost: stopping");
    expect(existsSync(join(dataDir, "lock"))).toBe(false);
    removeDataDir(dataDir);
  });
});
