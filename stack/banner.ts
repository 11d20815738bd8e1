import { readTopologyFile } from "../config/topology.ts";
import { resourcesOf } from "../mixins/resources.ts";
import type { Router } from "../mixins/shard-db/router.ts";
import { redact } from "./external.ts";
import type { RunningNodes } from "./nodes.ts";
import type { Stack } from "./types.ts";

/** What a person needs to know about a stack that runs, ready to print. */
export function banner(options: {
  stack: Stack;
  nodes: RunningNodes;
  port: number;
  dataDir: string;
}): string {
  const { stack, nodes } = options;
  const api = `http://127.0.0.1:${options.port}`;
  const rows: [string, string][] = [
    ["API", api],
    ...nodes.metrics.map(({ name, port }, index): [string, string] => [
      index === 0 ? "Metrics" : "",
      `http://127.0.0.1:${port}/metrics${nodes.metrics.length > 1 ? `  ${name}` : ""}`,
    ]),
    ...shardLines(stack, resourcesOf(nodes.broker).db.router).map((line, index): [string, string] => [
      index === 0 ? "Shards" : "",
      line,
    ]),
    ["Redis", stack.redisUrl === undefined ? "none" : redact(stack.redisUrl)],
    ["NATS", stack.natsUrl === undefined ? "none" : redact(stack.natsUrl)],
    ["Data", options.dataDir],
    ...stack.notices.map((notice): [string, string] => ["Note", notice]),
  ];
  const table = rows.map(([label, value]) => `  ${label.padEnd(9)} ${value}`.trimEnd());
  return ["", "Roost is ready", "", ...table, "", "Try it, line by line:", "", ...curlLines(api), ""].join(
    "\n",
  );
}

/**
 * Three lines that work in any POSIX shell when pasted in order: sign up, post, read the home timeline. Each paste
 * signs up somebody new.
 */
export function curlLines(api: string): string[] {
  const json = "-H 'content-type: application/json'";
  const signUp = `{"username":"user'$(date +%s)'","name":"A User","password":"correct horse battery"}`;
  const pick = (pattern: string) => `$(printf %s "$ME" | sed 's/.*${pattern}.*/\\1/')`;
  const token = `-H "authorization: Bearer $TOKEN"`;
  return [
    `ME=$(curl -s ${api}/auth/signup ${json} -d '${signUp}'); ` +
      `TOKEN=${pick('"access_token":"\\([^"]*\\)"')}; ID=${pick('"id":"\\([0-9]*\\)"')}; echo "$ME"`,
    `curl -s ${api}/2/tweets ${token} ${json} -d '{"text":"hello from roost"}'; echo`,
    `curl -s ${api}/2/users/$ID/timelines/reverse_chronological ${token}; echo`,
  ];
}

/** The servers by the topology file, the buckets by the shard map: those move. */
function shardLines({ topologyFile }: Stack, router: Router): string[] {
  return readTopologyFile(topologyFile).shards.map(({ name, primary, replicas }) => {
    const ranges =
      router
        .bucketsOf(name)
        .map(([first, last]) => `${first}-${last}`)
        .join(",") || "none";
    const standbys = replicas.length === 0 ? "" : `  replicas ${replicas.map(address).join(" ")}`;
    return `${name}  buckets ${ranges}  primary ${address(primary)}${standbys}`;
  });
}

function address(url: string): string {
  return new URL(url).host;
}
