import { BenchClient } from "./client/index.ts";
import { type Account, Dataset } from "./dataset.ts";
import { startOwnStack } from "./own-stack.ts";

/** What a benchmark runs in: all services in one process, one Postgres, one Redis, a process that sends. */
export interface Setting {
  port: number;
  topologyFile: string;
  redisUrl: string;
  dataset: Dataset;
  client: BenchClient;
  say: (line: string) => void;
}

/** Brings up a setting with services of this environment, runs `work` in it and takes it down, whatever happens. */
export async function inSetting<T>(
  signal: AbortSignal,
  say: (line: string) => void,
  work: (setting: Setting) => Promise<T>,
  env: NodeJS.ProcessEnv = {},
): Promise<T> {
  const stack = await startOwnStack({
    topology: "single",
    split: false,
    workers: 1,
    env,
    signal,
    onProgress: say,
  });
  const client = new BenchClient();
  const dataset = new Dataset(stack.topologyFile);
  try {
    const { topologyFile, redisUrl } = stack;
    if (redisUrl === undefined) throw new Error("benchmarks need Redis");
    const port = Number(new URL(stack.url).port);
    return await Promise.race([
      work({ port, topologyFile, redisUrl, dataset, client, say }),
      new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    ]);
  } finally {
    client.stop();
    await dataset.close();
    await stack.stop();
  }
}

/** A GET as it goes over the wire. */
export function getRequest(path: string, { token }: Account): string {
  return `GET ${path} HTTP/1.1\r\nhost: roost\r\nauthorization: Bearer ${token}\r\n\r\n`;
}

/** A POST of JSON as it goes over the wire. */
export function postRequest(path: string, { token }: Account, body: unknown): string {
  const json = JSON.stringify(body);
  return (
    `POST ${path} HTTP/1.1\r\nhost: roost\r\nauthorization: Bearer ${token}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  );
}

export function homePath({ id }: Account, maxResults: number): string {
  return `/2/users/${id}/timelines/reverse_chronological?max_results=${maxResults}`;
}

/** The body of a request's answer. Throws where it is not 2xx. */
export async function fetchText(port: number, path: string, { token }: Account): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`GET ${path} → ${answer.status} ${text.slice(0, 300)}`);
  return text;
}
