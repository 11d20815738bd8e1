import type { ShardDb } from "../../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../../contracts/actions.ts";
import { errorCode } from "../../contracts/errors.ts";
import { feedOf } from "./feed.repo.ts";

/** The feed of all shards. One that is away is left out, and asked again from the same position. */
export async function feedSince(
  db: ShardDb,
  { positions, overlap_ms }: ParamsOf<"tweet.since">,
): Promise<ResultOf<"tweet.since">> {
  const shards: ResultOf<"tweet.since">["shards"] = {};
  let anyMore = false;
  await Promise.all(
    db.shards.map(async (shard) => {
      try {
        const { more, ...feed } = await feedOf(db, shard, positions[shard], overlap_ms);
        shards[shard] = feed;
        anyMore ||= more;
      } catch (error) {
        if (errorCode(error) !== "UNAVAILABLE") throw error;
      }
    }),
  );
  return { shards, more: anyMore };
}
