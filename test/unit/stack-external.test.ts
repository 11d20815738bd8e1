import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerAnswers } from "../../stack/docker.ts";
import { externalServers, redact } from "../../stack/external.ts";

// Port 1 is never listened on.
const NOBODY = "127.0.0.1:1";

describe("servers that the environment names", () => {
  test("none named, none checked", async () => {
    expect(await externalServers({})).toEqual({});
  });

  test.each([
    ["REDIS_URL", `redis://:secret@${NOBODY}`, /^REDIS_URL redis:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/],
    ["REDIS_URL", `redis+sentinel://:secret@${NOBODY}/m`, /^REDIS_URL redis\+sentinel:\/\/.*ECONNREFUSED/],
    ["REDIS_URL", `redis://:secret@${NOBODY},redis://:secret@${NOBODY}`, /^REDIS_URL .*ECONNREFUSED/],
    ["REDIS_URL", "http://:secret@x", /^REDIS_URL http:\/\/x: expected redis:/],
    ["NATS_URL", `nats://u:secret@${NOBODY}`, /^NATS_URL nats:\/\/127\.0\.0\.1:1: .*REFUSED/],
    ["NATS_URL", "secret@", /^NATS_URL .*: Invalid URL/],
    ["TOPOLOGY_FILE", "/nowhere/topology.json", /^TOPOLOGY_FILE \/nowhere\/topology\.json: .*ENOENT/],
  ])("%s=%s: the fault is named in one line", async (name, value, message) => {
    const fault: Error = await externalServers({ [name]: value }).then(fail, (error) => error);
    expect(fault.message).toMatch(message);
    expect(fault.message).not.toContain("\n");
  });

  test("a topology whose Postgres does not answer names that Postgres, not its password", async () => {
    const directory = mkdtempSync(join(tmpdir(), "roost-topology-"));
    const file = join(directory, "topology.json");
    const primary = `postgres://roost:secret@${NOBODY}/roost`;
    writeFileSync(
      file,
      JSON.stringify({ shards: [{ name: "s0", primary, replicas: [], buckets: [[0, 1023]] }] }),
    );
    const fault: Error = await externalServers({ TOPOLOGY_FILE: file }).then(fail, (error) => error);
    rmSync(directory, { recursive: true });
    expect(fault.message).toMatch(
      /^TOPOLOGY_FILE .*: postgres:\/\/127\.0\.0\.1:1\/roost: connect ECONNREFUSED/,
    );
    expect(fault.message).not.toContain("secret");
  });

  test("credentials are cut out of every URL of a list", () => {
    expect(redact("redis://:a@h1:1,redis://u:b@h2:2")).toBe("redis://h1:1,redis://h2:2");
  });
});

describe("whether Docker answers", () => {
  let engine: Server;
  const directory = mkdtempSync(join(tmpdir(), "roost-docker-"));
  const socket = join(directory, "docker.sock");
  beforeAll(async () => {
    engine = createServer((request, response) => {
      response.statusCode = request.url === "/_ping" ? 200 : 404;
      response.end();
    });
    await new Promise<void>((resolve) => engine.listen(socket, resolve));
  });
  afterAll(() => {
    engine.close();
    rmSync(directory, { recursive: true });
  });

  test("yes where the engine answers its ping", async () => {
    expect(await dockerAnswers({ DOCKER_HOST: `unix://${socket}` })).toBe(true);
  });

  test("no where nothing listens", async () => {
    expect(await dockerAnswers({ DOCKER_HOST: "unix:///nowhere/docker.sock" })).toBe(false);
    expect(await dockerAnswers({ DOCKER_HOST: `tcp://${NOBODY}` })).toBe(false);
  });
});

function fail(): never {
  throw new Error("expected a rejection");
}
