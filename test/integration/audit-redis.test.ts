import { Cluster, Redis } from "ioredis";
import { parseRedisUrl } from "../../mixins/redis/address.ts";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import type { RedisFinding } from "../../services/operator/audit-findings.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { type OwnRedis, ownRedis, serverUrl } from "../support/servers.ts";

describe("an audit of Redis", () => {
  let roost: Roost;
  const raw = new Redis(serverUrl("REDIS"));
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { FANOUT_POLICY: "2" } });
  });
  afterAll(async () => {
    raw.disconnect();
    await roost.stop();
  });

  const keys = () => {
    const { redis } = roost.resources;
    if (!redis) throw new Error("this Roost has a Redis");
    return redis.keys;
  };

  /** A reader of two authors, with everything that a read stores: `ids` are their tweets, newest first. */
  async function reader(): Promise<{ me: Person; authors: [Person, Person]; ids: string[] }> {
    const [me, a, b] = (await roost.people(3)) as [Person, Person, Person];
    await roost.call("graph.follow", { target_user_id: a.id }, me);
    await roost.call("graph.follow", { target_user_id: b.id }, me);
    await roost.homeIds(me);
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) {
      const author = i % 2 === 0 ? a : b;
      ids.unshift((await roost.call("tweet.create", { text: `${i}` }, author)).id);
    }
    await roost.settle();
    await roost.call("timeline.home", { user_id: me.id, limit: 10, expand: ["author_id"] }, me);
    await roost.call("timeline.user", { user_id: a.id, limit: 10 }, me);
    return { me, authors: [a, b], ids };
  }

  /** The audit finds just this; it is mended, and readers see the truth. */
  async function mendsOnly(fault: Partial<RedisFinding>, viewer: Person): Promise<void> {
    expect(await roost.mend()).toEqual([expect.objectContaining({ check: "redis", ...fault })]);
    expect(await roost.homeIds(viewer)).toEqual(await roost.oracle.homeOf(viewer.id));
    expect(await roost.audit()).toEqual([]);
  }

  it("finds nothing in a healthy one, pulled authors and all", async () => {
    const { me, authors } = await reader();
    const [author] = authors;
    for (const fan of await roost.people(3)) {
      await roost.call("graph.follow", { target_user_id: author.id }, fan);
    }
    // Makes the author a pulled one.
    await roost.call("tweet.create", { text: "to many" }, author);
    await roost.settle();
    await roost.call("tweet.create", { text: "not pushed" }, author);
    await roost.settle();
    expect(await roost.homeIds(me)).toEqual(await roost.oracle.homeOf(me.id));
    expect(await raw.sismember(keys().pulled(partitionOf(me.id)), author.id)).toBe(1);
    expect(await roost.audit()).toEqual([]);
  });

  it("finds a tweet that is missing from a home list", async () => {
    const { me, ids } = await reader();
    await raw.lrem(keys().home(me.id), 0, ids[2] ?? "");
    await mendsOnly({ key: keys().home(me.id), lacks: [ids[2] ?? ""] }, me);
  });

  it("finds a list whose floor is below what it holds", async () => {
    const { me, ids } = await reader();
    await raw.lrem(keys().home(me.id), 0, ids[5] ?? "");
    await raw.lrem(keys().home(me.id), 0, ids[4] ?? "");
    await mendsOnly({ lacks: expect.arrayContaining([ids[4], ids[5]]) }, me);
  });

  it("takes no note of what a list lacks below its floor", async () => {
    const { me, ids } = await reader();
    const key = keys().home(me.id);
    const [tail = ""] = await raw.lrange(key, -1, -1);
    await raw.lrem(key, 0, ids[5] ?? "");
    await raw.lrem(key, 0, tail);
    await raw.rpush(key, tail.replace(/^\d+/, ids[5] ?? ""));
    expect(await roost.audit()).toEqual([]);
  });

  it("finds a list out of order", async () => {
    const { me, ids } = await reader();
    await raw.lset(keys().home(me.id), 0, ids[1] ?? "");
    await raw.lset(keys().home(me.id), 1, ids[0] ?? "");
    await mendsOnly({ key: keys().home(me.id), fault: expect.stringContaining("sorted") }, me);
  });

  it("finds somebody else's tweet in an author's list", async () => {
    const { me, authors, ids } = await reader();
    const key = keys().author(authors[0].id);
    await raw.lpush(key, ids[0] ?? "");
    await mendsOnly({ key, lacks: [], extra: [ids[0] ?? ""] }, me);
  });

  it.each(["following", "muted", "blocked"] as const)("finds a member too many in a set: %s", async (set) => {
    const { me } = await reader();
    const [stranger] = (await roost.people(1)) as [Person];
    await raw.sadd(keys()[set](me.id), stranger.id);
    await mendsOnly({ key: keys()[set](me.id), lacks: [], extra: [stranger.id] }, me);
  });

  it("finds a member that a set lacks", async () => {
    const { me, authors } = await reader();
    await raw.srem(keys().following(me.id), authors[0].id);
    await mendsOnly({ key: keys().following(me.id), lacks: [authors[0].id], extra: [] }, me);
  });

  it("finds a pulled author that readers would not look for, and one that is none", async () => {
    const { me, authors } = await reader();
    const [author, other] = authors;
    for (const fan of await roost.people(3))
      await roost.call("graph.follow", { target_user_id: author.id }, fan);
    await roost.call("tweet.create", { text: "to many" }, author);
    await roost.settle();
    await roost.homeIds(me);
    const key = keys().pulled(partitionOf(me.id));
    await raw.srem(key, author.id);
    await raw.sadd(key, other.id);
    await mendsOnly({ key, lacks: [author.id], extra: [other.id] }, me);
  });

  it("finds a tweet that is said to be there and is not, and the other way round", async () => {
    const { me, authors, ids } = await reader();
    const [first = "", second = ""] = ids;
    const state = async (id: string) => {
      const key = keys().tweetState(id);
      return { key, value: (await raw.get(key)) ?? "" };
    };
    const alive = await state(first);
    await raw.set(alive.key, alive.value.replace(/1$/, "0"), "PX", 3_600_000);
    await mendsOnly({ key: alive.key }, me);
    const before = await state(second);
    await roost.call("tweet.delete", { id: second }, authors[0]);
    await roost.settle();
    expect((await state(second)).value).toMatch(/0$/);
    await raw.set(before.key, before.value, "PX", 3_600_000);
    await mendsOnly({ key: before.key }, me);
  });

  it("finds a body and a profile that are not those in Postgres", async () => {
    const { me, authors, ids } = await reader();
    const body = keys().tweetBody(ids[0] ?? "");
    const tweet = JSON.parse((await raw.get(body)) ?? "{}");
    await raw.set(body, JSON.stringify({ ...tweet, text: "forged" }));
    await mendsOnly({ key: body, fault: "is not what Postgres holds" }, me);
    const profile = keys().user(authors[0].id);
    await raw.set(profile, ((await raw.get(profile)) ?? "").replace('"verified":false', '"verified":true'));
    await mendsOnly({ key: profile, fault: "is not what Postgres holds" }, me);
  });

  it("finds a session that has been ended", async () => {
    const [me] = (await roost.people(1)) as [Person];
    const username = `s${me.username.slice(1)}`;
    const { access_token, user } = await roost.call("user.signup", {
      username,
      name: "S",
      password: "correct horse",
    });
    const viewer = await roost.call("user.authenticate", { token: access_token });
    const [key = ""] = await raw.keys(`${keys().pattern.slice(0, -1)}*:session:*`);
    const entry = (await raw.get(key)) ?? "";
    expect(await roost.audit()).toEqual([]);
    await roost.broker.call("user.logout", {}, { meta: { viewer } });
    await raw.set(key, entry, "PX", 3_600_000);
    await mendsOnly({ key, fault: "stands for what does not exist" }, user);
    expect(await roost.call("user.authenticate", { token: access_token })).toBeNull();
  });

  it("takes no note of what was stored on another Redis process", async () => {
    const { me, ids } = await reader();
    const [list, set, state] = [keys().home(me.id), keys().following(me.id), keys().tweetState(ids[0] ?? "")];
    const [tail = ""] = await raw.lrange(list, -1, -1);
    const mark = tail.split("|")[1] ?? "";
    await raw.lset(list, -1, "0|-5");
    await raw.lpop(list);
    await raw.srem(set, mark);
    await raw.sadd(set, "-5", "7");
    await raw.set(state, "v-5:0");
    expect(await roost.audit()).toEqual([]);
  });
});

describe("an audit of a Redis Cluster", () => {
  let redis: OwnRedis;
  let roost: Roost;
  let raw: Cluster;
  beforeAll(async () => {
    redis = await ownRedis("sharded");
    const { nodes, password } = parseRedisUrl(redis.redisUrl);
    raw = new Cluster(nodes, { redisOptions: { password } });
    roost = await Roost.start({ shards: 2, redisUrl: redis.redisUrl });
  });
  afterAll(async () => {
    raw.disconnect();
    await roost.stop();
    await redis.destroy();
  });

  it("looks at the entries on every master", async () => {
    const people = await roost.people(30);
    const following = people.map(({ id }) => roost.store.keys.following(id));
    const stored = async (key: string) => {
      const [person] = people.filter(({ id }) => key.endsWith(id));
      if (person) await roost.home(person);
      return (await raw.exists(key)) === 1;
    };
    for (const key of following) await eventually(() => stored(key), `${key} in Redis`);
    for (const key of following) await raw.sadd(key, "7");
    const found = await roost.mend();
    expect(found.map((finding) => ("key" in finding ? finding.key : "")).sort()).toEqual(following.sort());
    expect(await roost.audit()).toEqual([]);
  });
});
