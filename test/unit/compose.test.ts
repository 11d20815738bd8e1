import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { SERVICE_NAMES } from "../../config/env.ts";
import { readTopologyFile } from "../../config/topology.ts";

/** Compose's own files, without an engine: their form, and what they promise each other. */

const ROOT = join(__dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface ComposeService {
  build?: string;
  command?: string[];
  container_name?: string;
  depends_on?: Record<string, { condition: string }>;
  entrypoint?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test?: string[]; disable?: boolean };
  image?: string;
  networks?: string[];
  ports?: string[];
  restart?: string;
  volumes?: string[];
}

interface Compose {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, null>;
}

const text = read("docker-compose.yml");
const compose: Compose = parse(text, { merge: true });
const services = Object.entries(compose.services);
const ofRoost = SERVICE_NAMES.map((name) => [name, compose.services[name] ?? {}] as const);
const databases = services.filter(([, { image }]) => image?.startsWith("postgres:"));

/** The variables of a Compose file, by name: whether each must be given. */
const variables = new Map(
  [...text.matchAll(/\$\{(\w+)(:?[?-])?/g)].map(([, name = "", operator]) => [name, operator === ":?"]),
);
const example = new Map(
  read(".env.example")
    .split("\n")
    .filter((line) => /^\w+=/.test(line))
    .map((line): [string, string] => [line.split("=")[0] ?? "", line.split("=").slice(1).join("=")]),
);

describe("docker-compose.yml", () => {
  test("follows the Compose Specification's schema", () => {
    const { $schema: _, ...schema } = JSON.parse(read("test/fixtures/compose-spec/compose-spec.json"));
    const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
    validate(compose);
    expect(validate.errors).toBeNull();

    const misspelt = { services: { user: { image: "roost", healthchek: {} } } };
    expect(validate(misspelt)).toBe(false);
  });

  test.each(ofRoost)("%s has a service of its own, which scales", (name, service) => {
    expect(service.environment?.SERVICES).toBe(name);
    expect(service.container_name).toBeUndefined();
    expect(service.depends_on?.migrate?.condition).toBe("service_completed_successfully");
    expect(service.restart).toBe("unless-stopped");
  });

  test("only the gateway publishes a port, and only it is outside of the internal network", () => {
    expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(["gateway"]);
    expect(compose.networks.backend?.internal).toBe(true);
    expect(
      services.filter(([, { networks }]) => networks?.join() !== "backend").map(([name]) => name),
    ).toEqual(["gateway"]);
  });

  test("everything that stays up has a health check", () => {
    for (const [name, { healthcheck, restart }] of services) {
      expect([name, Boolean(healthcheck?.test)]).toEqual([name, restart !== "no"]);
    }
    expect(services.filter(([, { restart }]) => restart === "no").map(([name]) => name)).toEqual(["migrate"]);
  });

  test("whatever is waited for exists, and is healthy or done", () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const runsOnce = compose.services[needed]?.restart === "no";
        const expected = runsOnce ? "service_completed_successfully" : "service_healthy";
        expect([name, needed, compose.services[needed] && condition]).toEqual([name, needed, expected]);
      }
    }
  });

  test("three primaries of Postgres 18 with a replica each, every one on its own named volume", () => {
    expect(databases.map(([name]) => name)).toEqual(
      [0, 1, 2].flatMap((i) => [`shard${i}-primary`, `shard${i}-replica`]),
    );
    for (const [name, { image, volumes = [], environment, depends_on }] of databases) {
      expect(image).toMatch(/^postgres:18\b/);
      expect(volumes).toContain(`${name}:/var/lib/postgresql`);
      if (!name.endsWith("-replica")) continue;
      const primary = name.replace("replica", "primary");
      expect(environment?.PRIMARY_HOST).toBe(primary);
      expect(depends_on?.[primary]?.condition).toBe("service_healthy");
    }
    expect(Object.keys(compose.volumes)).toEqual(databases.map(([name]) => name));
  });

  test("the files that it mounts and runs exist", () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((each) => each.startsWith("./")),
    );
    const run = services
      .filter(([, { build }]) => build)
      .flatMap(([, { entrypoint = [], command = [] }]) => [...entrypoint, ...command])
      .filter((word) => word.includes("/"));
    const files = [...mounted.map((each) => each.split(":")[0] ?? ""), ...run];
    expect(files).toContain("deploy/compose/entry.sh");
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe("the environment", () => {
  test(".env.example names every variable of docker-compose.yml, and gives no secret", () => {
    expect([...example.keys()].sort()).toEqual([...variables.keys()].sort());
    const isEmpty = [...example].map(([name, value]) => [name, value === ""]);
    expect(Object.fromEntries(isEmpty)).toEqual(Object.fromEntries(variables));
    expect(
      [...variables].filter(([name]) => /PASSWORD|SECRET|TOKEN/.test(name)).every(([, must]) => must),
    ).toBe(true);
  });

  test("secrets.sh fills in a different value for each secret", () => {
    const { stdout } = spawnSync("sh", [join(ROOT, "deploy/compose/secrets.sh")], { encoding: "utf8" });
    const secrets = [...variables].filter(([, must]) => must).map(([name]) => name);
    const values = secrets.map((name) => new RegExp(`^${name}=([0-9a-f]{48})$`, "m").exec(stdout)?.[1]);
    expect(values).not.toContain(undefined);
    expect(new Set(values).size).toBe(secrets.length);
    expect(stdout).toContain(`GATEWAY_PORTS=${example.get("GATEWAY_PORTS")}\n`);
  });

  test("the topology that a container starts with covers all buckets with the shards of the Compose file", () => {
    const folder = mkdtempSync(join(tmpdir(), "roost-compose-"));
    const file = join(folder, "topology.json");
    const start = (env: Record<string, string>) =>
      spawnSync("sh", ["deploy/compose/entry.sh", "echo", "started"], {
        cwd: ROOT,
        encoding: "utf8",
        env: {
          PATH: `${join(process.execPath, "..")}:${process.env.PATH}`,
          TOPOLOGY_FILE: file,
          ROOST_DB_PASSWORD: "p@ss/word",
          ...env,
        },
      });
    try {
      const { stdout, stderr } = start({ SHARDS: compose.services.timeline?.environment?.SHARDS ?? "" });
      expect([stdout, stderr]).toEqual(["started\n", ""]);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const { shards } = readTopologyFile(file);
      const hosts = shards
        .flatMap(({ primary, replicas }) => [primary, ...replicas])
        .map((url) => new URL(url));
      expect(hosts.map(({ hostname }) => hostname)).toEqual(databases.map(([name]) => name));
      expect(hosts.every(({ password }) => decodeURIComponent(password) === "p@ss/word")).toBe(true);

      for (const SHARDS of ["", "s0", "s0=", "s0=a;b", "S=a", "s0=a,s0=b"]) {
        const refused = start({ SHARDS });
        expect([SHARDS, refused.status, refused.stdout]).toEqual([SHARDS, 1, ""]);
        expect(refused.stderr).toMatch(/^\w.*: expected .*\n$|^shards: a name is used twice\n$/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("Dockerfile", () => {
  const instructions = read("Dockerfile")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => line.split(/\s+/));
  const all = (name: string) => instructions.filter(([word]) => word === name).map(([, ...rest]) => rest);

  test("starts from Node 24, ends as a user other than root, and holds no development package", () => {
    const bases = all("FROM").map(([image = ""]) => image);
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/^node:24\b/);
    expect(all("USER").at(-1)?.[0]).toMatch(/^[1-9]\d*(:[1-9]\d*)?$/);
    expect(all("RUN").flat().join(" ")).toMatch(/^npm ci --omit=dev --omit=optional\b/);
    expect(all("CMD").at(-1)?.join(" ")).toBe('["node", "services/main.ts"]');
    expect(all("HEALTHCHECK")).toHaveLength(1);
  });

  test("copies only what exists and .dockerignore lets through", () => {
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copied = all("COPY")
      .filter(([first]) => !first?.startsWith("--from"))
      .flatMap((words) => words.slice(0, -1));
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect([...new Set(copied)].sort()).toEqual(allowed.sort());
  });

  test("what it copies imports nothing from the folders that it leaves out", () => {
    const folders = all("COPY").flatMap(([from = ""]) => (/^[a-z]+$/.test(from) ? [from] : []));
    expect(folders).toContain("services");
    const imports = folders.flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .flatMap((file) =>
          [...read(join(folder, file)).matchAll(/["'](?:\.\.\/)+(\w+)\//g)].map(([, top]) => top),
        ),
    );
    const outside = ["stack", "bench", "test", "deploy", "docs"];
    expect(imports.filter((top) => outside.includes(top ?? ""))).toEqual([]);
  });
});
