import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { request } from "undici";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client } from "../support/client.ts";
import { type FuzzRequest, requestsOf } from "../support/fuzz.ts";
import { Roost } from "../support/roost.ts";
import { expectDocumented, ourDocument } from "../support/x-api.ts";

/** 20,000 in `npm run prove`. What failed is replayed with the seed and path that are printed. */
const REQUESTS = Number(process.env.ROOST_FUZZ_REQUESTS ?? 1_000);
const SEED = Number(process.env.ROOST_FUZZ_SEED ?? 1);
const PATH = process.env.ROOST_FUZZ_PATH;
/** A request that takes longer, in ms, hangs. */
const HANGS_MS = 20_000;
const TRIES = 4;

describe("requests made from our reference", () => {
  let roost: Roost;
  let url: string;
  let me: Client;
  let people = 0;
  const logged: unknown[][] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  const statuses = new Map<string, Set<number>>();

  const newcomer = () => Client.signUp(url, `fuzz${++people}`);

  /** Signed in anew; somebody new where that one is gone. */
  const again = ({ username }: Client) => Client.logIn(url, username).catch(newcomer);

  beforeAll(async () => {
    roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
    url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
    process.on("unhandledRejection", onUnhandled);
    // Every logger that the services have been given.
    for (const logger of Object(roost.broker).loggerFactory.cache.values())
      logger.error = (...said: unknown[]) => logged.push(said);
    me = await newcomer();
  });
  afterAll(async () => {
    process.off("unhandledRejection", onUnhandled);
    await roost.stop();
  });

  /** A 503 means that a server did not answer in time, on a busy machine: it is asked again, as a client does. */
  async function send(asked: FuzzRequest): Promise<number> {
    for (let tries = 1; tries <= TRIES; tries++) {
      const status = await sendOnce(asked);
      if (status !== 503) return status;
      await sleep(1_000);
    }
    throw new Error(`503 for ${TRIES} times`);
  }

  async function sendOnce(asked: FuzzRequest): Promise<number> {
    const { method, path, as, headers, body } = asked;
    const bearer = as === "me" ? me.token : as === "bogus" ? `${me.token.slice(0, -4)}AAAA` : undefined;
    const answer = await request(url + path, {
      method,
      headers: { ...headers, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
      body,
      signal: AbortSignal.timeout(HANGS_MS),
    });
    if (answer.statusCode === 200 && asked.operation.endsWith("/stream")) {
      // It goes on until one side ends it.
      answer.body.on("error", () => {}).destroy();
      return 200;
    }
    const text = await answer.body.text();
    const type = answer.headers["content-type"]?.toString();
    const answered = {
      status: answer.statusCode,
      type,
      body: type?.includes("json") ? JSON.parse(text) : text,
    };
    if (answer.statusCode >= 500 && answer.statusCode !== 503)
      throw new Error(`${answer.statusCode}: ${text}`);
    // Longer than the HTTP server reads: no endpoint has seen it.
    if (answer.statusCode !== 431) expectDocumented(method, path, answered);
    // One of them has ended the session.
    if (as === "me" && answer.statusCode === 401) me = await again(me);
    return answer.statusCode;
  }

  it(`are answered as it says, ${REQUESTS} of them`, async () => {
    const others = await Promise.all([newcomer(), newcomer()]);
    const tweets = await Promise.all([me, ...others].map((who) => who.tweet(`by ${who.username}`)));
    const known = {
      users: [me.id, me.id, me.id, me.id, ...others.map(({ id }) => id)],
      tweets,
      usernames: [me.username, ...others.map(({ username }) => username)],
    };
    const property = fc.asyncProperty(requestsOf(ourDocument, known), async (asked) => {
      const status = await send(asked);
      statuses.set(asked.operation, (statuses.get(asked.operation) ?? new Set()).add(status));
      expect({ logged, unhandled }).toEqual({ logged: [], unhandled: [] });
    });
    await fc.assert(property, { numRuns: REQUESTS, seed: SEED, path: PATH, endOnFailure: true });
  }, 3_600_000);

  it("reach every operation, and most of them with success too", () => {
    if (PATH !== undefined) return;
    const operations = Object.values(ourDocument.paths).flatMap((methods) => Object.keys(methods)).length;
    expect(statuses.size).toBe(operations);
    const succeeded = [...statuses.values()].filter((seen) => [...seen].some((status) => status < 300));
    expect(succeeded.length / operations).toBeGreaterThan(0.5);
  });
});
