import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "../../mixins/shard-db/index.ts";
import { type Person, Roost } from "../support/roost.ts";

const ROOT = new URL("../../", `file://${__filename}`).pathname;

describe("npm run audit", () => {
  let roost: Roost;
  let person: Person;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    [person] = (await roost.people(1)) as [Person];
    await roost.call("tweet.create", { text: "hello" }, person);
    await roost.settle();
  });
  afterAll(() => roost.stop());

  const command = (args: string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        "node",
        [join(ROOT, "services/operator/cli.ts"), "audit", ...args],
        { cwd, env: { ...process.env, ...roost.env, NODE_OPTIONS: "", ...env } },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  const spoil = () => roost.resources.db.write(person, sql`SELECT count_delta(${person.id}, 'tweets', 4)`);

  it("says nothing on standard output and exits with 0 where everything agrees", async () => {
    const { code, stdout, stderr } = await command([]);
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toMatch(/counters\n.*Redis.*everything agrees\n$/s);
  });

  it("prints each finding and exits with 1, until they are mended", async () => {
    await spoil();
    const said = `counter tweets of ${person.id} is 5, its rows are 1\n`;
    expect(await command([])).toMatchObject({ code: 1, stdout: said });
    const { code, stdout } = await command(["--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ check: "counter", subject: person.id, value: "5", rows: "1" });
    expect(await command(["--repair"])).toMatchObject({ code: 0, stdout: said });
    expect(await command([])).toMatchObject({ code: 0, stdout: "" });
  });

  it("exits with 1 where something is left that it cannot mend", async () => {
    const { db } = roost.resources;
    await db.readShard(
      "s0",
      sql`INSERT INTO dead_letters VALUES (next_id(1), 'edge', '{}', NULL, 10, E'a\\nb')`,
    );
    await spoil();
    const { code, stdout } = await command(["--repair"]);
    expect(code).toBe(1);
    const letter = expect.stringMatching(/^s0: job \d+ edge \{\} was given up: a b$/);
    expect(stdout.trimEnd().split("\n")).toEqual([expect.stringContaining("counter tweets"), letter, letter]);
    await db.readShard("s0", sql`DELETE FROM dead_letters`);
  });

  it("exits with 2 and one line where something could not be checked", async () => {
    const away = await command([], { REDIS_URL: "redis://127.0.0.1:1" });
    expect([away.code, away.stderr.trimEnd().split("\n").at(-1)]).toEqual([2, "Redis does not answer"]);
    const nowhere = await command(["--topology-file", "/none.json"]);
    expect(nowhere).toMatchObject({ code: 2, stdout: "" });
    expect(nowhere.stderr).toMatch(/^TOPOLOGY_FILE: \/none.json: .*\n$/);
  });

  it("says that Redis was not checked where none is named", async () => {
    const { code, stderr } = await command([], { REDIS_URL: "" });
    expect(code).toBe(0);
    expect(stderr).toContain("Redis was not checked");
  });

  it("asks the servers of --data whatever the environment says, those of .roost where it says nothing else", async () => {
    const place = mkdtempSync(join(tmpdir(), "roost-audit-"));
    const writeEnv = (dir: string, redisUrl: string | undefined) => {
      mkdirSync(join(place, dir));
      const text = `TOPOLOGY_FILE="${roost.env.TOPOLOGY_FILE}"\nREDIS_URL="${redisUrl}"\n`;
      writeFileSync(join(place, dir, "env"), text);
    };
    const NOWHERE = "redis://127.0.0.1:1";
    writeEnv("data", roost.env.REDIS_URL);
    writeEnv(".roost", NOWHERE);
    const elsewhere = { TOPOLOGY_FILE: "/none.json", REDIS_URL: NOWHERE };
    expect(await command(["--data", join(place, "data")], elsewhere)).toMatchObject({ code: 0 });
    expect(await command([], { TOPOLOGY_FILE: undefined }, place)).toMatchObject({ code: 0 });
    const missing = await command(["--data", "/none"]);
    expect(missing).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("/none/env, which is not there"),
    });
    rmSync(place, { recursive: true });
  });

  it("refuses arguments that it does not know, with its usage", async () => {
    for (const [args, fault] of [
      [["--fix"], "Unknown option '--fix'"],
      [["mirrors"], 'expected no arguments, got "mirrors"'],
    ] as const) {
      const { code, stderr } = await command([...args]);
      expect(code).toBe(2);
      expect(stderr).toContain(fault);
      expect(stderr).toContain("Usage: npm run audit");
    }
    expect(await command(["--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("Usage:") });
  });
});
