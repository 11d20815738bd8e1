import { bucketOf, bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import type { Session } from "../../services/contracts/sessions.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const password = "correct horse";
let count = 0;
const newName = () => `u${process.pid % 10_000}_${++count}`;
const codeOf = (promise: Promise<unknown>) => promise.then(() => "none", errorCode);

let proxy: TcpProxy;
let roost: Roost;
beforeAll(async () => {
  proxy = await TcpProxy.to(serverUrl("REDIS"));
  roost = await Roost.start({ shards: 3, services: ["user"], redisUrl: proxy.url });
});
afterAll(async () => {
  await roost.stop();
  await proxy.close();
});
afterEach(() => proxy.open());

const signUp = (username = newName()) => roost.call("user.signup", { username, name: " A Name ", password });
const authenticate = async ({ access_token: token }: Session) => roost.call("user.authenticate", { token });

/** As the gateway calls it after it has authenticated a token. */
async function as(session: Session) {
  const viewer = await authenticate(session);
  if (!viewer) throw new Error("not signed in");
  return { meta: { viewer: { userId: viewer.userId, sessionId: viewer.sessionId } } };
}

describe("sign-up", () => {
  it("makes an account whose id, handle and session share a bucket", async () => {
    const session = await signUp();
    const { user } = session;
    expect(user).toMatchObject({ name: "A Name", protected: false });
    expect(user.id).toMatch(/^\d{19}$/);
    expect(bucketOf(user.id)).toBe(bucketOfHandle(user.username));
    expect(Math.abs(Date.parse(user.created_at) - Date.now())).toBeLessThan(60_000);
    expect(session.expires_in).toBe(7_200);
    expect(await authenticate(session)).toMatchObject({ userId: user.id });
  });

  it("refuses a handle that is taken in another case, naming the field", async () => {
    const { user } = await signUp();
    const error = await signUp(user.username.toUpperCase()).catch((thrown: unknown) => thrown);
    expect(errorCode(error)).toBe("CONFLICT");
    expect(error).toMatchObject({
      data: { errors: [{ parameters: { username: [user.username.toUpperCase()] } }] },
    });
  });

  it("lets exactly one of 50 that race for a handle win", async () => {
    const name = newName();
    const cases = Array.from({ length: 50 }, (_, i) => (i % 2 ? name : name.toUpperCase()));
    const outcomes = await Promise.all(cases.map((username) => codeOf(signUp(username))));
    expect(outcomes.filter((code) => code === "none")).toHaveLength(1);
    expect(outcomes.filter((code) => code === "CONFLICT")).toHaveLength(49);
    const { db } = roost.resources;
    const rows = await db.readAll(sql<{ sessions: number; credentials: number }>`
      SELECT (SELECT count(*)::int FROM sessions s WHERE s.user_id = u.id) sessions,
             (SELECT count(*)::int FROM credentials c WHERE c.user_id = u.id) credentials
      FROM users u WHERE lower(username) = ${name}`);
    expect(rows).toEqual([{ sessions: 1, credentials: 1 }]);
  });

  it("keeps the password as an argon2id hash and the tokens as SHA-256", async () => {
    const session = await signUp();
    const rows = await roost.resources.db.read(
      session.user,
      sql<{ password_hash: string; stored: string }>`
        SELECT password_hash, (SELECT string_agg(s::text, ' ') FROM sessions s WHERE user_id = ${session.user.id}) stored
        FROM credentials WHERE user_id = ${session.user.id}`,
    );
    expect(rows[0]?.password_hash).toMatch(/^\$argon2id\$/);
    expect(rows[0]?.stored).not.toContain(session.access_token.slice(7));
  });

  it.each([
    [{ username: "a b", name: "x", password }, "username"],
    [{ username: "sixteen_letters_", name: "x", password }, "username"],
    [{ username: "ok", name: "  ", password }, "name"],
    [{ username: "ok", name: "a\u0000b", password }, "name"],
    [{ username: "ok", name: "a\ud800b", password }, "name"],
    [{ username: "ok", name: "x".repeat(51), password }, "name"],
    [{ username: "ok", name: "x", password: "short" }, "password"],
    [{ username: "ok", name: "x", password: "x".repeat(129) }, "password"],
  ])("refuses %j", async (wish, field) => {
    const error = await roost.call("user.signup", wish).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: "VALIDATION_ERROR", data: [expect.objectContaining({ field })] });
  });
});

describe("log-in", () => {
  it("takes the handle in any case, and opens a session beside the others", async () => {
    const first = await signUp();
    const second = await roost.call("user.login", { username: first.user.username.toUpperCase(), password });
    expect(second.user).toEqual(first.user);
    expect((await authenticate(second))?.sessionId).not.toBe((await authenticate(first))?.sessionId);
  });

  it("says the same for a wrong password and an unknown handle, and takes as long", async () => {
    const { user } = await signUp();
    const timed = async (username: string) => {
      const start = performance.now();
      const error = await roost
        .call("user.login", { username, password: "wrong horse" })
        .catch((thrown: unknown) => thrown);
      return { error, ms: performance.now() - start };
    };
    await timed(user.username);
    const [wrong, unknown] = [await timed(user.username), await timed(newName())];
    expect(errorCode(wrong.error)).toBe("UNAUTHORIZED");
    expect(String(unknown.error)).toBe(String(wrong.error));
    expect(unknown.ms).toBeGreaterThan(wrong.ms / 4);
  });

  it("sweeps out the user's expired sessions", async () => {
    const { user } = await signUp();
    const { db } = roost.resources;
    await db.write(
      user,
      sql`UPDATE sessions SET refresh_expires = now() - interval '1s' WHERE user_id = ${user.id}`,
    );
    await roost.call("user.login", { username: user.username, password });
    expect(await db.read(user, sql`SELECT 1 FROM sessions WHERE user_id = ${user.id}`)).toHaveLength(1);
  });
});

describe("tokens", () => {
  it("that are malformed ask no database", async () => {
    const reads = jest.spyOn(roost.resources.db, "read");
    for (const token of ["", "x", "ra_000_short", "'; DROP TABLE sessions; --"]) {
      expect(await roost.call("user.authenticate", { token })).toBeNull();
    }
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
  });

  it("that nobody was given are no session", async () => {
    expect(await roost.call("user.authenticate", { token: `ra_3ff_${"A".repeat(43)}` })).toBeNull();
  });

  it("rotate: the old pair is dead, the new one lives in the same session", async () => {
    const first = await signUp();
    const before = await authenticate(first);
    const second = await roost.call("user.refresh", { refresh_token: first.refresh_token });
    expect(second.user).toEqual(first.user);
    expect(await authenticate(first)).toBeNull();
    expect(await authenticate(second)).toMatchObject({ sessionId: before?.sessionId });
    expect(await codeOf(roost.call("user.refresh", { refresh_token: first.refresh_token }))).toBe(
      "UNAUTHORIZED",
    );
  });

  it("rotate once only, however many ask at a time", async () => {
    const { refresh_token } = await signUp();
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => codeOf(roost.call("user.refresh", { refresh_token }))),
    );
    expect(outcomes.filter((code) => code === "none")).toHaveLength(1);
    expect(outcomes.filter((code) => code === "UNAUTHORIZED")).toHaveLength(9);
  });

  it("are not each other's: an access token does not refresh, a refresh token does not authenticate", async () => {
    const session = await signUp();
    expect(await codeOf(roost.call("user.refresh", { refresh_token: session.access_token }))).toBe(
      "UNAUTHORIZED",
    );
    expect(await roost.call("user.authenticate", { token: session.refresh_token })).toBeNull();
  });

  it("expire, by Postgres's clock or, once cached, by the entry's", async () => {
    const { db } = roost.resources;
    const fresh = await signUp();
    await db.write(
      fresh.user,
      sql`UPDATE sessions SET access_expires = now() - interval '1 ms', refresh_expires = now() - interval '1 ms'
          WHERE user_id = ${fresh.user.id}`,
    );
    expect(await authenticate(fresh)).toBeNull();
    expect(await codeOf(roost.call("user.refresh", { refresh_token: fresh.refresh_token }))).toBe(
      "UNAUTHORIZED",
    );

    const cached = await signUp();
    await db.write(
      cached.user,
      sql`UPDATE sessions SET access_expires = now() + interval '2 seconds' WHERE user_id = ${cached.user.id}`,
    );
    expect(await authenticate(cached)).not.toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    expect(await authenticate(cached)).toBeNull();
  });
});

describe("log-out", () => {
  const logOut = async (session: Session) =>
    roost.broker.call("user.logout", {}, await as(session)) as Promise<{ revoked: boolean }>;

  it("ends that session and no other", async () => {
    const first = await signUp();
    const second = await roost.call("user.login", { username: first.user.username, password });
    expect(await logOut(first)).toEqual({ revoked: true });
    expect(await authenticate(first)).toBeNull();
    expect(await codeOf(roost.call("user.refresh", { refresh_token: first.refresh_token }))).toBe(
      "UNAUTHORIZED",
    );
    expect(await authenticate(second)).not.toBeNull();
  });

  it("holds while Redis is away, and when it is back with what it had", async () => {
    const session = await signUp();
    const who = await as(session);
    proxy.cut();
    expect(await roost.broker.call("user.logout", {}, who)).toEqual({ revoked: true });
    expect(await authenticate(session)).toBeNull();
    proxy.open();
    await roost.settle();
    await eventually(() => roost.resources.redis?.ping() ?? true, "Redis is back");
    expect(await authenticate(session)).toBeNull();
  });

  it("leaves a session alone where it failed", async () => {
    const session = await signUp();
    const who = await as(session);
    const failing = jest
      .spyOn(roost.resources.db, "transaction")
      .mockRejectedValueOnce(new Error("no commit"));
    await expect(roost.broker.call("user.logout", {}, who)).rejects.toThrow("no commit");
    failing.mockRestore();
    expect(await authenticate(session)).not.toBeNull();
  });
});

describe("profiles", () => {
  it("change at once for every reader, and clear", async () => {
    const session = await signUp();
    const { id } = session.user;
    const read = async () => (await roost.call("user.get", { ids: [id] }))[0];
    await read();
    const change = { name: "New", description: "two\nlines", location: "here", url: "https://example.org/x" };
    await roost.broker.call("user.update", { ...change }, await as(session));
    expect(await read()).toMatchObject(change);
    await roost.broker.call("user.update", { description: null, url: null }, await as(session));
    const after = await read();
    expect(after).toMatchObject({ name: "New", location: "here" });
    expect(after).not.toHaveProperty("description");
    expect(after).not.toHaveProperty("url");
    await roost.settle();
  });

  it("are not stale when Redis comes back from an outage", async () => {
    const session = await signUp();
    const who = await as(session);
    const { id } = session.user;
    await roost.call("user.get", { ids: [id] });
    proxy.cut();
    await roost.broker.call("user.update", { name: "Changed" }, who);
    proxy.open();
    await eventually(() => roost.resources.redis?.ping() ?? true, "Redis is back");
    await roost.settle();
    expect((await roost.call("user.get", { ids: [id] }))[0]?.name).toBe("Changed");
  });

  it.each([
    [{ url: "javascript:alert(1)" }, "url"],
    [{ url: "https://" }, "url"],
    [{ url: "https://exa mple" }, "url"],
    [{ location: "x".repeat(31) }, "location"],
    [{ description: "x".repeat(161) }, "description"],
    [{ name: null }, "name"],
    [{ username: "other" }, undefined],
    [{ profile: { admin: true } }, undefined],
  ])("refuse %j", async (change, field) => {
    const error = await roost.broker
      .call("user.update", change, await as(await signUp()))
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ type: "VALIDATION_ERROR" });
    if (field) expect(error).toMatchObject({ data: [expect.objectContaining({ field })] });
  });
});

describe("looking up", () => {
  it("keeps the order asked for, across shards, and leaves out who does not exist", async () => {
    const people = await roost.people(20);
    const ids = people.map(({ id }) => id);
    const users = await roost.call("user.get", { ids: [...ids, "12"], with_metrics: true });
    expect(users.map(({ id }) => id)).toEqual(ids);
    expect(users[0]?.public_metrics).toEqual({
      followers_count: 0,
      following_count: 0,
      tweet_count: 0,
      listed_count: 0,
    });
    const names = people.map(({ username }) => username.toUpperCase());
    const named = await roost.call("user.byUsername", { usernames: [...names, "nobody"] });
    expect(named.map(({ id }) => id)).toEqual(ids);
    expect(named[0]).not.toHaveProperty("public_metrics");
    const resolved = await roost.call("user.resolve", { usernames: [...names, "nobody", "__proto__"] });
    expect(resolved).toEqual(
      Object.fromEntries(people.map(({ id, username }) => [username.toLowerCase(), id])),
    );
  });

  it("answers from Postgres while Redis is away", async () => {
    const [person] = await roost.people(1);
    proxy.cut();
    expect(await roost.call("user.get", { ids: [person?.id ?? ""] })).toHaveLength(1);
  });
});
