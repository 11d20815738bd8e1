import { Client } from "pg";
import type { BucketRange } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { MovedShards } from "../support/moves.ts";
import { eventually } from "../support/roost.ts";
import { createShards, type TestShards } from "../support/servers.ts";

const RANGE: BucketRange = [0, 9];
const BUCKET = 3;

interface Placed {
  epoch: string;
  map: { shard: string; buckets: BucketRange[] }[];
}

/** An asynchronous failover of the shard that gave buckets away may lose that commit; others may have seen it. */
describe("a decision that was lost with the server that made it", () => {
  let shards: TestShards;
  let moved: MovedShards;
  beforeAll(async () => {
    shards = await createShards(3);
    await migrate(shards.topology);
    moved = await MovedShards.of(shards);
    await moved.rows(
      "s0",
      "INSERT INTO tweets (id, author_id, text) VALUES (next_id($1), next_id($1), 'one')",
      [BUCKET],
    );
  });
  afterAll(async () => {
    await moved.close();
    await shards.drop();
  });

  const placedOn = async (shard: string): Promise<Placed> => {
    const [row] = await moved.rows<Placed>(shard, "SELECT epoch, map FROM placement");
    if (row === undefined) throw new Error("no placement");
    return row;
  };
  /** The map that gives the range from s0 to s1, as of the next epoch. */
  const decision = async (): Promise<[number, string]> => {
    const { epoch, map } = await placedOn("s0");
    const given = map.map(({ shard, buckets }) => {
      if (shard === "s0") return { shard, buckets: [[RANGE[1] + 1, buckets[0]?.[1]]] };
      return { shard, buckets: shard === "s1" ? [RANGE, ...buckets] : buckets };
    });
    return [Number(epoch) + 1, JSON.stringify(given)];
  };
  const held = async (shard: string, work: (holder: Client) => Promise<void>) => {
    const holder = new Client(shards.topology.shards.find(({ name }) => name === shard)?.primary);
    await holder.connect();
    try {
      await holder.query("BEGIN; SELECT FROM placement FOR UPDATE");
      await work(holder);
    } finally {
      await holder.end();
    }
  };

  it("is refused once it has been taken back, before anything is deleted for that", async () => {
    expect(await moved.killedMover(RANGE, "s1", "decide")).toBeUndefined();
    const [epoch, map] = await decision();
    let bringing: Promise<{ taken: boolean }[]> | undefined;
    const onMove = ({ step, note }: { step: string; note?: string }) => {
      if (step === "take-back" && note)
        bringing ??= moved.rows("s1", "SELECT adopt_map($1, $2) AS taken", [epoch, map]);
    };
    expect(await moved.abort({ onMove })).toEqual(["taken back"]);
    expect(await bringing).toEqual([{ taken: false }]);
    expect(await moved.ownerOf(BUCKET)).toBe("s0");
    await moved.expectNothingLeft();
  });

  it("is refused also where nobody knows of the move any more", async () => {
    expect(await moved.killedMover(RANGE, "s1", "decide")).toBeUndefined();
    const [epoch, map] = await decision();
    await moved.rows("s0", "DELETE FROM moves");
    expect(await moved.abort()).toEqual([]);
    expect(await moved.rows("s1", "SELECT adopt_map($1, $2) AS taken", [epoch, map])).toEqual([
      { taken: false },
    ]);
    expect(await moved.ownerOf(BUCKET)).toBe("s0");
    await moved.expectNothingLeft();
  });

  it("counts where somebody brings it just before it would be taken back", async () => {
    expect(await moved.killedMover(RANGE, "s1", "decide")).toBeUndefined();
    const [epoch, map] = await decision();
    let brought: Promise<void> | undefined;
    const onExcluded = async () => {
      const isHeld = Promise.withResolvers<void>();
      brought = held("s1", async (holder) => {
        isHeld.resolve();
        await eventually(
          async () => (await moved.rows("s1", "SELECT FROM pg_locks WHERE NOT granted")).length > 0,
          "somebody who takes it back",
        );
        await holder.query("SELECT adopt_map($1, $2)", [epoch, map]);
        await holder.query("COMMIT");
      });
      await isHeld.promise;
    };
    expect(await moved.abort({ onExcluded })).toEqual(["moved"]);
    await brought;
    expect(await moved.ownerOf(BUCKET)).toBe("s1");
    expect(await moved.rows("s1", "SELECT text FROM tweets")).toEqual([{ text: "one" }]);
    await moved.expectNothingLeft();
    await moved.move(RANGE, "s0");
  });
});
