import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEnv } from "../../config/env.ts";
import { parseRedisUrl } from "../../mixins/redis/address.ts";

describe("the environment", () => {
  const folder = mkdtempSync(join(tmpdir(), "roost-env-"));
  const file = join(folder, "topology.json");
  writeFileSync(
    file,
    JSON.stringify({ shards: [{ name: "s0", primary: "postgres://h/d", buckets: [[0, 1023]] }] }),
  );
  afterAll(() => rmSync(folder, { recursive: true }));

  it("has defaults for all but the topology", () => {
    expect(readEnv({ TOPOLOGY_FILE: file })).toMatchObject({
      port: 3000,
      services: ["user", "graph", "tweet", "timeline", "gateway"],
      rateLimitFactor: 1,
      redisUrl: undefined,
      fanoutPolicy: "cost",
      homeListMaxAgeMs: 86_400_000,
    });
  });

  it.each(["cost", "push", "pull", 0, 10_000] as const)("takes %s for a fan-out policy", (policy) => {
    expect(readEnv({ TOPOLOGY_FILE: file, FANOUT_POLICY: String(policy) }).fanoutPolicy).toBe(policy);
  });

  it("takes origins as browsers send them", () => {
    const origins = "https://app.example, http://localhost:5173";
    expect(readEnv({ TOPOLOGY_FILE: file, CORS_ORIGINS: origins }).corsOrigins).toEqual(origins.split(", "));
    expect(readEnv({ TOPOLOGY_FILE: file }).corsOrigins).toEqual([]);
  });

  it("names services by a list, which may be empty", () => {
    expect(readEnv({ TOPOLOGY_FILE: file, SERVICES: "tweet, user" }).services).toEqual(["tweet", "user"]);
    expect(readEnv({ TOPOLOGY_FILE: file, SERVICES: "" }).services).toEqual([]);
  });

  it.each([
    ["PORT", "80000"],
    ["PORT", "x"],
    ["METRICS_PORT", "-1"],
    ["SERVICES", "user,mail"],
    ["LOG_LEVEL", "loud"],
    ["NATS_URL", "http://h"],
    ["REDIS_URL", "localhost"],
    ["RATE_LIMIT_FACTOR", "-1"],
    ["TRUSTED_PROXIES", "1.5"],
    ["CORS_ORIGINS", "app.example"],
    ["CORS_ORIGINS", "https://app.example/"],
    ["CORS_ORIGINS", "https://*.example"],
    ["FANOUT_POLICY", "sometimes"],
    ["FANOUT_POLICY", "-1"],
    ["HOME_LIST_MAX_AGE_S", "0"],
    ["TOPOLOGY_FILE", join(folder, "none.json")],
  ])("with %s=%s is refused in one line that names the variable", (name, value) => {
    expect(() => readEnv({ TOPOLOGY_FILE: file, [name]: value })).toThrow(new RegExp(`^${name}: [^\\n]+$`));
  });
});

describe("a Redis URL", () => {
  it("may name one server", () => {
    expect(parseRedisUrl("rediss://u:p%40@h:1/3")).toEqual({
      kind: "standalone",
      nodes: [{ host: "h", port: 1 }],
      username: "u",
      password: "p@",
      db: 3,
      tls: true,
    });
  });

  it("may list a cluster", () => {
    expect(parseRedisUrl("redis://:p@a:1,b:2,redis://c")).toMatchObject({
      kind: "cluster",
      password: "p",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
        { host: "c", port: 6379 },
      ],
    });
  });

  it("may name sentinels and their master", () => {
    expect(parseRedisUrl("redis+sentinel://:p@a:1,b/main")).toMatchObject({
      kind: "sentinel",
      name: "main",
      password: "p",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 26379 },
      ],
    });
  });
});
