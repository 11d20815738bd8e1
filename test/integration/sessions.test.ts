import { connect } from "node:net";
import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { judgeRefresh } from "../../services/user/sessions/refresh-rules.ts";
import { Client, send } from "../support/client.ts";
import { HeldTable } from "../support/held-table.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const password = "correct horse battery";
const SERVICES = ["user", "graph", "tweet", "timeline", "gateway"] as const;
/** Two nodes with a gateway each; each reaches Redis over a line of its own. */
let lines: TcpProxy[];
let roost: Roost;
let urls: [string, string];
let count = 0;

beforeAll(async () => {
  lines = await Promise.all([TcpProxy.to(serverUrl("REDIS")), TcpProxy.to(serverUrl("REDIS"))]);
  roost = await Roost.start({ services: [...SERVICES], redisUrl: lines[0]?.url });
  const other = await roost.addNode({ REDIS_URL: lines[1]?.url });
  urls = [`http://127.0.0.1:${gatewayPort(roost.broker)}`, `http://127.0.0.1:${other.port}`];
});
afterAll(async () => {
  await roost.stop();
  await Promise.all(lines.map((line) => line.close()));
});
afterEach(async () => {
  for (const line of lines) line.open();
  await eventually(() => roost.store.readable, "Redis is back");
});

interface Tokens {
  access_token: string;
  refresh_token: string;
}

const newName = () => `s${process.pid % 10_000}_${++count}`;
const logIn = async (username: string, word = password) =>
  (await send(urls[0], "POST", "/auth/login", { body: { username, password: word } }))
    .body as unknown as Tokens; // the contract of 200
const refresh = (refresh_token: string) =>
  send(urls[0], "POST", "/auth/refresh", { body: { refresh_token } });
const statusAt = async (url: string, token: string) =>
  (await send(url, "GET", "/2/users/me", { headers: { authorization: `Bearer ${token}` } })).status;
const everywhere = (token: string) => Promise.all(urls.map((url) => statusAt(url, token)));

/** Somebody who has signed in twice; both gateways know both sessions. */
async function twice() {
  const client = await Client.signUp(urls[0], newName());
  const { access_token } = await logIn(client.username);
  expect(await everywhere(client.token)).toEqual([200, 200]);
  expect(await everywhere(access_token)).toEqual([200, 200]);
  const { body } = await client.request("GET", "/auth/sessions");
  const [other] = (body.data as { id: string; current: boolean }[]).filter(({ current }) => !current); // the contract of 200
  return { client, other: { id: other?.id ?? "", token: access_token } };
}

describe("a session", () => {
  it("is listed with where it is from, and ended by its owner, on every gateway at once", async () => {
    const { client, other } = await twice();
    expect((await client.request("DELETE", `/auth/sessions/${other.id}`)).body.data).toEqual({
      revoked: true,
    });
    expect(await everywhere(other.token)).toEqual([401, 401]);
    expect(await everywhere(client.token)).toEqual([200, 200]);
    expect((await client.request("GET", "/auth/sessions")).body.data).toEqual([
      expect.objectContaining({ current: true, user_agent: "node" }),
    ]);
  });

  it("is nobody else's to end", async () => {
    const { other } = await twice();
    const stranger = await Client.signUp(urls[0], newName());
    expect((await stranger.request("DELETE", `/auth/sessions/${other.id}`)).status).toBe(404);
    expect(await everywhere(other.token)).toEqual([200, 200]);
  });

  it("ends within a second at a gateway whose Redis the other one could not tell of it", async () => {
    const { client, other } = await twice();
    lines[0]?.cut();
    expect((await client.request("DELETE", `/auth/sessions/${other.id}`)).status).toBe(200);
    expect(await statusAt(urls[0], other.token)).toBe(401);
    await eventually(async () => (await statusAt(urls[1], other.token)) === 401, "the token ends there, too");
  });

  it("has ended at a gateway that is without Redis, and stays so when Redis is back", async () => {
    const { client, other } = await twice();
    lines[1]?.cut();
    expect((await client.request("DELETE", `/auth/sessions/${other.id}`)).status).toBe(200);
    expect(await statusAt(urls[1], other.token)).toBe(401);
    lines[1]?.open();
    for (let i = 0; i < 20; i++) expect(await statusAt(urls[1], other.token)).toBe(401);
  });
});

describe("a changed password", () => {
  const change = (client: Client, current_password: string, new_password: string) =>
    client.request("PUT", "/auth/password", { current_password, new_password });

  it("ends all other sessions, and is the only one that signs in", async () => {
    const { client, other } = await twice();
    expect((await change(client, "wrong horse", "a new password")).status).toBe(403);
    expect((await change(client, password, "a new password")).body.data).toEqual({ changed: true });
    expect(await everywhere(client.token)).toEqual([200, 200]);
    expect(await everywhere(other.token)).toEqual([401, 401]);
    const { username } = client;
    expect((await send(urls[0], "POST", "/auth/login", { body: { username, password } })).status).toBe(401);
    expect((await logIn(username, "a new password")).access_token).toMatch(/^ra_/);
  });

  it("leaves no session to whoever signs in with the old one at that moment", async () => {
    const { client } = await twice();
    const held = await HeldTable.of(roost.shards, "sessions");
    await held.hold();
    const changing = change(client, password, "a new password");
    const { username } = client;
    const signingIn = send(urls[0], "POST", "/auth/login", { body: { username, password } });
    await eventually(async () => (await held.waiting()) >= 2, "both wait");
    await held.release();
    await held.close();
    const [changed, signedIn] = await Promise.all([changing, signingIn]);
    expect(changed.status).toBe(200);
    // Whoever came first: what was opened before the change ends with it.
    const { access_token = "" } = signedIn.body as { access_token?: string };
    expect([signedIn.status, ...(await everywhere(access_token))]).toEqual([expect.any(Number), 401, 401]);
  });
});

describe("a refresh token", () => {
  it.each([
    ["the latest is exchanged", { current: true, lost: false, overtaken: false }, "exchange"],
    ["one whose answer got lost, too", { current: false, lost: true, overtaken: false }, "exchange"],
    ["one of two at a time is refused", { current: false, lost: false, overtaken: true }, "refuse"],
    ["an old one ends the session", { current: false, lost: false, overtaken: false }, "end"],
  ] as const)("%s", (_, standing, verdict) => {
    expect(judgeRefresh(standing)).toBe(verdict);
  });

  it("that comes again ends the session with all of its tokens", async () => {
    const client = await Client.signUp(urls[0], newName());
    const first = await logIn(client.username);
    const second = (await refresh(first.refresh_token)).body as unknown as Tokens; // the contract of 200
    expect(await everywhere(second.access_token)).toEqual([200, 200]);
    expect((await refresh(first.refresh_token)).status).toBe(401);
    expect(await everywhere(second.access_token)).toEqual([401, 401]);
    expect((await refresh(second.refresh_token)).status).toBe(401);
    expect(await everywhere(client.token)).toEqual([200, 200]);
  });

  it("that came twice at the same time is exchanged once, and the session goes on", async () => {
    const { username } = await Client.signUp(urls[0], newName());
    const { refresh_token } = await logIn(username);
    const held = await HeldTable.of(roost.shards, "sessions");
    // Both have looked at the session before either exchanges the token.
    await held.hold("writers");
    const asked = [refresh(refresh_token), refresh(refresh_token)];
    await eventually(async () => (await held.waiting()) >= 2, "both wait");
    await held.release();
    await held.close();
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    const given = answers.find(({ status }) => status === 200)?.body as unknown as Tokens; // the contract of 200
    expect(await everywhere(given.access_token)).toEqual([200, 200]);
    expect((await refresh(given.refresh_token)).status).toBe(200);
  });

  it("may be used once more where the client had hung up before its answer", async () => {
    const client = await Client.signUp(urls[0], newName());
    const { refresh_token } = await logIn(client.username);
    const held = await HeldTable.of(roost.shards, "sessions");
    await held.hold();
    await hangUpOn(urls[0], refresh_token, async () => (await held.waiting()) > 0);
    await held.release();
    await held.close();
    const { db } = roost.resources;
    await eventually(async () => {
      const rows = await db.read(
        client,
        sql`SELECT FROM sessions WHERE user_id = ${client.id} AND lost_until > now()`,
      );
      return rows.length === 1;
    }, "the loss is noticed");
    const again = await refresh(refresh_token);
    expect(again.status).toBe(200);
    expect((await refresh(refresh_token)).status).toBe(401);
  });
});

/** Sends a refresh and hangs up once `until` holds. */
async function hangUpOn(url: string, refresh_token: string, until: () => Promise<boolean>): Promise<void> {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({ refresh_token });
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /auth/refresh HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  await eventually(until, "the request is under way");
  socket.destroy();
}
