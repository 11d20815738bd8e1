import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, startOf, stopAll, type Tracked } from "../../stack/processes.ts";

const directory = mkdtempSync(join(tmpdir(), "roost-processes-"));
const diary = join(directory, "diary");
const children: ChildProcess[] = [];

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** A process that runs `onTerm` when it gets SIGTERM. */
async function start(name: string, phase: number, onTerm: string): Promise<Tracked> {
  const script = `process.on("SIGTERM", () => { ${onTerm} }); console.log("up"); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  return { name, pid, started: startOf(pid) ?? "", signal: "SIGTERM", phase, graceMs: 10_000 };
}

const write = (word: string) => `require("node:fs").appendFileSync(${JSON.stringify(diary)}, "${word} ")`;

describe("stopping processes", () => {
  test("those of a lower phase are gone before the next phase is asked", async () => {
    const server = await start("server", 2, `${write("server")}; process.exit()`);
    const client = await start("client", 0, `setTimeout(() => { ${write("client")}; process.exit() }, 100)`);
    await stopAll([server, client]);
    expect(readFileSync(diary, "utf8")).toBe("client server ");
  });

  test("one that does not listen is killed after its grace", async () => {
    const stubborn = await start("stubborn", 0, "");
    await stopAll([{ ...stubborn, graceMs: 50 }]);
    expect(isAlive(stubborn)).toBe(false);
  });

  test("another process with the same pid is left alone", async () => {
    const innocent = await start("innocent", 0, "process.exit()");
    await stopAll([{ ...innocent, started: "earlier" }]);
    expect(isAlive(innocent)).toBe(true);
  });
});
