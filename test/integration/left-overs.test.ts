import { CounterFold } from "../../mixins/counters.ts";
import { nothingWaitsForRedis, outboxState } from "../../mixins/outbox.repo.ts";
import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { deadLetterIds, deadLetters } from "../../services/operator/dead-letters.repo.ts";
import { authorsByMode } from "../../services/timeline/fanout.repo.ts";
import { unmeasured } from "../../services/timeline/fanout-rates.repo.ts";
import { pullAuthors } from "../../services/timeline/timeline.repo.ts";
import { countsMatching, tweetsMatching } from "../../services/tweet/search/search.repo.ts";
import { feedOf } from "../../services/tweet/stream/feed.repo.ts";
import { purgeIdempotencyKeys } from "../../services/tweet/tweet.repo.ts";
import { CodeRepo } from "../../services/user/oauth/code.repo.ts";
import { MovedShards } from "../support/moves.ts";
import { eventually, Roost } from "../support/roost.ts";

/** Owned by s1; rows of it are put on s0, as they lie there while it moves. */
const THEIRS = 1000;
/** Owned by s0. */
const OURS = 3;
const ALL_TIME = { after: "1", before: "9223372036854775807" };

describe("rows that lie on a shard which does not own their bucket", () => {
  let roost: Roost;
  let db: ShardDb;
  let shards: MovedShards;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    db = roost.resources.db;
    shards = await MovedShards.of(roost.shards);
  });
  afterAll(async () => {
    await shards.close();
    await roost.stop();
  });

  /** Puts a row for each bucket on s0; `$1` is the bucket. */
  const put = async (text: string, buckets = [OURS, THEIRS]) => {
    for (const bucket of buckets) await shards.rows("s0", text, [bucket]);
  };
  const bucketsOf = async (table: string, column = "bucket_of(id)") =>
    (
      await shards.rows<{ bucket: number }>("s0", `SELECT ${column}::int AS bucket FROM ${table} ORDER BY 1`)
    ).map(({ bucket }) => bucket);

  it("are no jobs: not taken, not counted, nothing that Redis waits for", async () => {
    const job = `SELECT enqueue($1, 'edge', '{"src": "1", "kind": "follow", "dst": "2"}')`;
    await put(job, [THEIRS, OURS]);
    await eventually(async () => (await bucketsOf("outbox")).length === 1, "the shard's own job done");
    expect(await shards.rows("s0", "SELECT FROM outbox_begun")).toEqual([]);
    expect(await bucketsOf("outbox")).toEqual([THEIRS]);
    await shards.rows("s0", "UPDATE outbox SET waits_for_redis = true");
    expect((await outboxState(db, "s0")).due.size).toBe(0);
    expect(await nothingWaitsForRedis(db)).toBe(true);
    await shards.rows("s0", "DELETE FROM outbox");
  });

  it("are no counts to be folded", async () => {
    await put("SELECT count_delta(next_id($1), 'likes', 1)");
    await new CounterFold(db).foldAll("s0");
    expect(await bucketsOf("counter_deltas")).toEqual([THEIRS]);
    for (const table of ["counter_deltas", "counters"]) await shards.rows("s0", `DELETE FROM ${table}`);
  });

  it("are no dead letters", async () => {
    await put("INSERT INTO dead_letters (id, kind, key, attempts) VALUES (next_id($1), 'edge', '{}', 1)", [
      THEIRS,
    ]);
    expect(await deadLetters(db, 10)).toEqual([]);
    expect(await deadLetterIds(db)).toEqual([]);
    expect((await outboxState(db, "s0")).dead.size).toBe(0);
    await shards.rows("s0", "DELETE FROM dead_letters");
  });

  it("are no authors who are pulled", async () => {
    await put(
      "INSERT INTO pull_authors (author_id, state, changed_at) VALUES (next_id($1), 'pull', '2000-01-01')",
      [THEIRS],
    );
    expect(await pullAuthors(db)).toEqual([]);
    expect(await authorsByMode(db)).toEqual({ entering: 0, pull: 0, leaving: 0 });
    await put(
      "INSERT INTO fanout_rates (author_id, measured_at) SELECT author_id, changed_at FROM pull_authors WHERE $1 > 0",
      [THEIRS],
    );
    expect(await unmeasured(db, "s0", 1, 10)).toEqual([]);
    await shards.rows("s0", "DELETE FROM pull_authors");
    await shards.rows("s0", "DELETE FROM fanout_rates");
  });

  it("are not in the way of what is purged", async () => {
    await put(`INSERT INTO idempotency_keys (user_id, key, body_hash, tweet_id, created_at)
               VALUES (next_id($1), 'k', '', 1, '2000-01-01')`);
    await put(`INSERT INTO authorization_codes
                 (bucket, code_hash, client_id, user_id, redirect_uri, scopes, challenge, challenge_method, expires)
               VALUES ($1, '', '', 1, '', '{}', '', 'S256', '2000-01-01')`);
    await purgeIdempotencyKeys(db, "s0");
    await new CodeRepo(db).purge("s0");
    expect(await bucketsOf("idempotency_keys", "bucket_of(user_id)")).toEqual([THEIRS]);
    expect(await bucketsOf("authorization_codes", "bucket")).toEqual([THEIRS]);
    await shards.rows("s0", "DELETE FROM idempotency_keys");
    await shards.rows("s0", "DELETE FROM authorization_codes");
  });

  it("are not found by search, counted or streamed", async () => {
    await put(
      "INSERT INTO tweets (id, author_id, text) VALUES (next_id($1), next_id($1), 'wayfaring strangers here')",
    );
    const [mine] = await db.readShard(
      "s0",
      sql<{ id: string }>`SELECT id FROM tweets WHERE owns(bucket_of(id))`,
    );
    for (const query of ["'wayfaring'", "'wayfaring' <-> 'strangers'"]) {
      expect((await tweetsMatching(db, query, { ...ALL_TIME, limit: 10 })).map(({ id }) => id)).toEqual([
        mine?.id,
      ]);
    }
    const counts = await countsMatching(db, "'wayfaring'", { ...ALL_TIME, widthMs: 60_000, without: [] });
    expect(counts.map(({ count }) => Number(count))).toEqual([1]);
    expect((await feedOf(db, "s0", "1", 0)).ids).toEqual([mine?.id]);
    await shards.rows("s0", "DELETE FROM tweets");
  });

  it("are a finding of the audit, unless a move explains them", async () => {
    await put("INSERT INTO tweets (id, author_id, text) SELECT id, id, '' FROM next_id($1) AS id", [THEIRS]);
    await put("INSERT INTO edges (src, kind, dst, id) VALUES (next_id($1), 'like', 2, 1)", [THEIRS]);
    await put(
      "INSERT INTO inverse_edges (dst, kind, src_bucket, src, id) SELECT id, 'like', 0, 2, 1 FROM next_id($1) id",
      [THEIRS],
    );
    const found = (await roost.audit()).flatMap((finding) =>
      finding.check === "placement" ? [finding.table] : [],
    );
    expect(found.sort()).toEqual(["edges", "inverse_edges", "tweets"]);
    await shards.rows(
      "s1",
      "INSERT INTO moves (id, first, last, target, step) VALUES ('m', 990, 1010, 's0', 'copy')",
    );
    expect(await roost.audit()).toEqual([]);
  });
});
