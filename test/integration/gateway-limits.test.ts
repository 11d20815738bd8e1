import { bucketOf } from "../../mixins/shard-db/ids.ts";
import type { Scope } from "../../services/contracts/scopes.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Sessions } from "../../services/user/sessions/index.ts";
import { appToken, makeClientId, makeSecret } from "../../services/user/sessions/tokens.ts";
import { send } from "../support/client.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** Of the limits, as this test has them: 5 reads, 1 tweet, 2 wrong passwords (5 from wherever), 2 new apps. */
const FACTOR = { read: 5, compose: 1, password: 2, passwordAnywhere: 5, apps: 2 };
const password = "correct horse";
let proxy: TcpProxy;
let roost: Roost;
let url: string;
let sessions: Sessions;
let addresses = 0;
let names = 0;

jest.mock("../../config/limits.ts", () => {
  const { limits } = jest.requireActual("../../config/limits.ts");
  const small = { read: 5, compose: 1, password: 2, passwordAnywhere: 5, apps: 2 };
  const rates = Object.fromEntries(
    Object.entries<{ perWindow: number }>(limits.rates).map(([name, rate]) => [
      name,
      { ...rate, perWindow: Reflect.get(small, name) ?? 1_000 },
    ]),
  );
  return { limits: { ...limits, rates } };
});

beforeAll(async () => {
  proxy = await TcpProxy.to(serverUrl("REDIS"));
  roost = await Roost.start({
    services: ["user", "graph", "tweet", "timeline", "gateway"],
    redisUrl: proxy.url,
    env: { RATE_LIMIT_FACTOR: "1", TRUSTED_PROXIES: "1" },
  });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  sessions = new Sessions(roost.resources);
});
afterAll(async () => {
  await roost.stop();
  await proxy.close();
});
afterEach(async () => {
  proxy.open();
  await eventually(() => roost.store.readable, "Redis is back");
});

const from = () => ({ "x-forwarded-for": `10.2.${++addresses >> 8}.${addresses & 255}` });
const newName = () => `l${process.pid % 10_000}_${++names}`;
const logIn = (username: string, word: string, headers = from()) =>
  send(url, "POST", "/auth/login", { body: { username, password: word }, headers });

async function signUp(): Promise<string> {
  const username = newName();
  const body = { username, name: username, password };
  expect((await send(url, "POST", "/auth/signup", { body, headers: from() })).status).toBe(201);
  return username;
}

/** An access token of a person: of their own session, or that of an app. */
async function tokenOf({ id: userId }: Person, clientId?: string): Promise<string> {
  const scopes: Scope[] = ["tweet.read", "users.read", "tweet.write"];
  const { access_token } = await roost.resources.db.transaction({ id: userId }, (tx) =>
    sessions.openOnce(tx, { userId, ...(clientId ? { clientId, scopes } : {}) }),
  );
  return access_token;
}

/** How many of so many requests pass. */
async function passing(
  count: number,
  token: string,
  method = "GET",
  path = "/2/tweets?ids=1",
): Promise<number> {
  let passed = 0;
  for (let i = 0; i < count; i++) {
    const { status, headers } = await send(url, method, path, {
      headers: { authorization: `Bearer ${token}`, ...from() },
      ...(method === "POST" ? { body: { text: `tweet ${i}` } } : {}),
    });
    expect(Number(headers.get("x-rate-limit-reset"))).toBeGreaterThan(0);
    if (status !== 429) passed++;
    else expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  }
  return passed;
}

describe("wrong passwords", () => {
  it.each(["with Redis", "while Redis is away"])(
    "of an account are few from an address, and shut out nobody elsewhere, %s",
    async (how) => {
      const [username, other, stranger] = [await signUp(), await signUp(), from()];
      if (how !== "with Redis") proxy.cut();
      for (let i = 0; i < FACTOR.password; i++)
        expect((await logIn(username, "wrong horse", stranger)).status).toBe(401);
      const refused = await logIn(username.toUpperCase(), password, stranger);
      expect(refused.status).toBe(429);
      expect(refused.headers.get("x-rate-limit-limit")).toBe(String(FACTOR.password));
      expect((await logIn(other, password, stranger)).status).toBe(200);
      expect((await logIn(username, password)).status).toBe(200);
    },
  );

  it("of an account are not many more from all addresses together", async () => {
    const username = await signUp();
    for (let i = 0; i < FACTOR.passwordAnywhere; i++)
      expect((await logIn(username, "wrong horse")).status).toBe(401);
    const refused = await logIn(username, password);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("x-rate-limit-limit")).toBe(String(FACTOR.passwordAnywhere));
  });

  it("are as many, and refused in the same words, where there is no such account", async () => {
    const [known, unknown] = [await signUp(), newName()];
    const answers = async (username: string) => {
      const [all, stranger]: [unknown[], ReturnType<typeof from>] = [[], from()];
      for (let i = 0; i <= FACTOR.password; i++) {
        const { status, body } = await logIn(username, "wrong horse", stranger);
        all.push({ status, detail: body.detail?.replace(/\d+ s/, "") });
      }
      return all;
    };
    expect(await answers(unknown)).toEqual(await answers(known));
  });

  it("are all that counts: right ones are given back", async () => {
    const username = await signUp();
    for (let i = 0; i < FACTOR.password * 2; i++) expect((await logIn(username, password)).status).toBe(200);
  });

  it("count together where a password is changed, an account deleted and somebody logs in", async () => {
    const [username, here] = [await signUp(), from()];
    const { body } = await logIn(username, password, here);
    const { access_token } = body as { access_token?: string };
    const headers = { authorization: `Bearer ${access_token}`, ...here };
    const wrong = { password: "wrong horse" };
    const change = { current_password: "wrong horse", new_password: "another horse" };
    expect((await send(url, "PUT", "/auth/password", { body: change, headers })).status).toBe(403);
    expect((await send(url, "DELETE", "/auth/account", { body: wrong, headers })).status).toBe(403);
    expect((await send(url, "PUT", "/auth/password", { body: change, headers })).status).toBe(429);
    expect((await send(url, "DELETE", "/auth/account", { body: wrong, headers })).status).toBe(429);
    expect((await logIn(username, password, here)).status).toBe(429);
  });
});

describe("new apps", () => {
  it("are few, however many are deleted again", async () => {
    const { body } = await logIn(await signUp(), password);
    const headers = { authorization: `Bearer ${Object(body).access_token}` };
    const app = { name: "App", redirect_uris: ["https://client.example/cb"], type: "public" };
    const register = () => send(url, "POST", "/auth/apps", { body: app, headers });
    for (let i = 0; i < FACTOR.apps; i++) {
      const { status, body: made } = await register();
      expect(status).toBe(201);
      const { client_id } = Object(made.data);
      expect((await send(url, "DELETE", `/auth/apps/${client_id}`, { headers })).status).toBe(200);
    }
    expect((await register()).status).toBe(429);
  });
});

describe.each(["with Redis", "while Redis is away"])("requests, %s", (how) => {
  const given = () => {
    if (how !== "with Redis") proxy.cut();
  };

  it("of a user are counted by app where they read, and all together where they write", async () => {
    const [person] = await roost.people(1);
    if (!person) throw new Error("nobody");
    const [one, other] = [makeClientId(0), makeClientId(1)];
    const tokens = [await tokenOf(person), await tokenOf(person, one), await tokenOf(person, other)];
    const again = await tokenOf(person, other);
    given();
    for (const token of tokens) expect(await passing(FACTOR.read + 1, token)).toBe(FACTOR.read);
    expect(await passing(1, again)).toBe(0);
    const written = [];
    for (const token of tokens) written.push(await passing(1, token, "POST", "/2/tweets"));
    expect(written).toEqual([FACTOR.compose, 0, 0]);
  });

  it("of an app by itself are counted by app", async () => {
    const [owner] = await roost.people(1);
    if (!owner) throw new Error("nobody");
    const bucket = bucketOf(owner.id);
    const tokens = await Promise.all(
      [1, 2].map(async () => {
        const token = appToken(bucket, makeSecret(), "seed");
        await roost.resources.db.transaction({ bucket }, (tx) =>
          sessions.openForApp(tx, makeClientId(bucket), token),
        );
        return token;
      }),
    );
    given();
    for (const token of tokens) expect(await passing(FACTOR.read + 1, token)).toBe(FACTOR.read);
  });
});

describe("headers", () => {
  it.each([
    ["GET", "/2/nothing"],
    ["DELETE", "/2/users/me"],
    ["GET", "/2/users/me"],
    ["POST", "/2/oauth2/token"],
    ["GET", "/2/oauth2/authorize"],
    ["GET", "/2/tweets?ids=x"],
  ])("tell of a limit where %s %s is refused", async (method, path) => {
    const answer = await fetch(url + path, { method, headers: from() });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    for (const name of ["limit", "remaining", "reset"])
      expect(answer.headers.get(`x-rate-limit-${name}`)).toMatch(/^\d+$/);
  });
});
