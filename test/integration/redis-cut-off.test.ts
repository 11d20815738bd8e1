import type { ServiceBroker } from "moleculer";
import { resourcesOf } from "../../mixins/resources.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { Sessions } from "../../services/user/sessions/index.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

describe("what a process changes that alone cannot reach Redis", () => {
  let proxy: TcpProxy;
  let roost: Roost;
  let deaf: ServiceBroker;
  let other: ServiceBroker;
  beforeAll(async () => {
    proxy = await TcpProxy.to(serverUrl("REDIS"));
    roost = await Roost.start({ services: ["user"], shards: 2 });
    other = roost.broker;
    deaf = (await roost.addNode({ REDIS_URL: proxy.url })).broker;
    // Nobody makes up for what Redis misses: what others see is what the readers find out.
    for (const broker of [deaf, other]) await broker.broadcast("outbox.pause", { paused: true });
  });
  beforeEach(() => eventually(() => readable(deaf) && readable(other), "Redis in use"));
  afterEach(async () => {
    proxy.open();
    const { db } = roost.resources;
    for (const shard of db.shards) await db.transactionOn(shard, (tx) => tx.query(sql`DELETE FROM outbox`));
  });
  afterAll(async () => {
    await roost.stop();
    await proxy.close();
  });
  const readable = (broker: ServiceBroker) => resourcesOf(broker).redis?.readable ?? false;

  it("shows to others a moment later, though nobody has told Redis: a profile", async () => {
    const [person] = (await roost.people(1)) as [Person];
    const nameAt = async (broker: ServiceBroker) =>
      (await roost.call("user.get", { ids: [person.id] }, person, broker))[0]?.name;
    await nameAt(other);
    proxy.cut();
    await roost.call("user.update", { name: "changed" }, person, deaf);
    await eventually(async () => (await nameAt(other)) === "changed", "the new name");
  });

  it("keeps others from believing what Redis holds: a session that is ended", async () => {
    const [{ id }] = (await roost.people(1)) as [Person];
    const { db, redis } = roost.resources;
    await db.transaction({ id }, (tx) => new Sessions({ db, redis }).openOnce(tx, { userId: id }));
    const [session] = await roost.call("user.sessions", {}, { id, username: "" });
    proxy.cut();
    await roost.call("user.endSession", { id: session?.id ?? "" }, { id, username: "" }, deaf);
    await eventually(() => !readable(other), "doubts about Redis");
  });
});
