import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { sql } from "../../mixins/shard-db/index.ts";
import { type Person, Roost } from "../support/roost.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

describe("a shard that cannot be reached", () => {
  let roost: Roost;
  let proxy: TcpProxy;
  let cutOff: ServiceBroker;
  const folder = mkdtempSync(join(tmpdir(), "roost-proxy-"));
  let me: Person;
  let author: Person;

  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    const { shards } = roost.shards.topology;
    const [s0, s1] = shards;
    if (!s0 || !s1) throw new Error("two shards");
    proxy = await TcpProxy.to(s1.primary);
    const file = join(folder, "topology.json");
    writeFileSync(file, JSON.stringify({ shards: [s0, { ...s1, primary: proxy.url }] }));
    cutOff = (await roost.addNode({ TOPOLOGY_FILE: file })).broker;
    const people = await roost.people(20);
    const on = (shard: string) => people.find((person) => roost.resources.db.shardOf(person) === shard);
    [me, author] = [on("s0"), on("s1")] as [Person, Person]; // twenty people are on both shards
  });
  afterAll(async () => {
    proxy.open();
    await roost.stop();
    await proxy.close();
    rmSync(folder, { recursive: true });
  });

  it("takes an unfollow of one of its users, which holds from then on, and its mirror follows", async () => {
    const target = { target_user_id: author.id };
    await roost.call("graph.follow", target, me);
    await roost.call("tweet.create", { text: "hello" }, author);
    await roost.settle();
    expect(await roost.homeIds(me)).toHaveLength(1);
    proxy.cut();
    expect(await roost.call("graph.unfollow", target, me, cutOff)).toEqual({ following: false });
    expect(await roost.homeIds(me)).toEqual([]);
    proxy.open();
    await roost.settle();
    const list = { user_id: author.id, kind: "follow", direction: "in", limit: 10 } as const;
    expect((await roost.call("graph.list", list, me)).users).toEqual([]);
  });

  it("answers 503 to a block whose other side did not learn of it, and brings it about later", async () => {
    const { db } = roost.resources;
    const [low, high] = [me.id, author.id].sort();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    // The mirror waits for its lock until the time-out, as with a shard that hangs.
    const holder = db.transaction({ id: author.id }, async (tx) => {
      await tx.query(sql`SELECT pg_advisory_xact_lock(2, hashtext(${`${low} ${high}`}))`);
      await held;
    });
    const answer = await roost.call("graph.block", { target_user_id: author.id }, me).catch((error) => error);
    release();
    await holder;
    expect(answer).toMatchObject({ type: "UNAVAILABLE" });
    await roost.settle();
    const followBack = roost.call("graph.follow", { target_user_id: me.id }, author);
    await expect(followBack).rejects.toMatchObject({ type: "FORBIDDEN" });
  });
});
