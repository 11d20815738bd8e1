import { bucketOf, bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { type ShardDb, sql, type Tx } from "../../mixins/shard-db/index.ts";
import type { Id, ProfileChange, UserMetrics } from "../contracts/users.ts";

/** What a user says about themself, as kept in `users.profile`. */
export interface Profile {
  description?: string;
  location?: string;
  url?: string;
  pinned_tweet_id?: Id;
}

export interface UserRow {
  id: Id;
  username: string;
  name: string;
  profile: Profile;
}

export interface MetricsRow extends Omit<UserMetrics, "listed_count"> {
  id: Id;
}

/** Accounts: users and their credentials, in the bucket of the handle. */
export class UserRepo {
  readonly #db: ShardDb;

  constructor(db: ShardDb) {
    this.#db = db;
  }

  /** The users that exist among `ids`, in no particular order. */
  byIds(ids: Iterable<Id>): Promise<UserRow[]> {
    return this.#db.readByIds(
      ids,
      (group) =>
        sql<UserRow>`
          SELECT id, username, name, profile FROM users WHERE id = ANY(${group}::bigint[]) AND closed_at IS NULL`,
      { partial: true },
    );
  }

  /** The counters of `ids`, as of now. */
  metrics(ids: Iterable<Id>): Promise<MetricsRow[]> {
    return this.#db.readByIds(
      ids,
      (group) => sql<MetricsRow>`
        SELECT id::text, counter_value(id, 'followers')::float8 followers_count,
               counter_value(id, 'following')::float8 following_count,
               counter_value(id, 'tweets')::float8 tweet_count
        FROM unnest(${group}::bigint[]) id`,
      { from: "session", partial: true },
    );
  }

  /** The newest tweet of each of `ids` that has one. */
  latestTweets(ids: Iterable<Id>): Promise<{ id: Id; latest: Id }[]> {
    return this.#db.readByIds(
      ids,
      (group) => sql<{ id: Id; latest: Id }>`
        SELECT author AS id, newest.id AS latest
        FROM unnest(${group}::bigint[]) author
        CROSS JOIN LATERAL (SELECT id FROM tweets WHERE author_id = author ORDER BY id DESC LIMIT 1) newest`,
      { partial: true },
    );
  }

  /** Id and lower-case handle of the accounts that exist among `usernames`; one statement a shard. */
  byHandles(usernames: Iterable<string>): Promise<{ id: Id; handle: string }[]> {
    const handles = new Set(Array.from(usernames, (username) => username.toLowerCase()));
    return this.#db.readBy(
      handles,
      (handle) => ({ handle }),
      (group) => sql<{ id: Id; handle: string }>`
        SELECT id, lower(username) handle FROM users
        WHERE lower(username) = ANY(${group}::text[]) AND closed_at IS NULL`,
      { partial: true },
    );
  }

  /** The account behind a handle and its password hash; undefined where there is none. */
  async credentials(username: string): Promise<{ id: Id; password_hash: string } | undefined> {
    const [row] = await this.#db.read(
      { handle: username },
      sql<{ id: Id; password_hash: string }>`
        SELECT u.id, c.password_hash FROM users u JOIN credentials c ON c.user_id = u.id
        WHERE lower(u.username) = ${username.toLowerCase()}`,
    );
    return row;
  }

  /** The password hash of a user; undefined where there is none. */
  async passwordHash(id: Id): Promise<string | undefined> {
    const [row] = await this.#db.read(
      { id },
      sql<{ password_hash: string }>`SELECT password_hash FROM credentials WHERE user_id = ${id}`,
    );
    return row?.password_hash;
  }

  /** Holds a user's password as it is until the transaction ends. False where it is another one by now. */
  async lockPassword(tx: Tx, id: Id, passwordHash: string): Promise<boolean> {
    const rows = await tx.query(sql<{ user_id: Id }>`
      SELECT user_id FROM credentials WHERE user_id = ${id} AND password_hash = ${passwordHash} FOR SHARE`);
    return rows.length > 0;
  }

  /** Gives a user another password in the place of a known one. False where that is another one by now. */
  async replacePassword(tx: Tx, id: Id, from: string, to: string): Promise<boolean> {
    const rows = await tx.query(sql<{ user_id: Id }>`
      UPDATE credentials SET password_hash = ${to} WHERE user_id = ${id} AND password_hash = ${from}
      RETURNING user_id`);
    return rows.length > 0;
  }

  /** Makes an account; its id carries the bucket of its handle. Fails with 23505 on users_handle where that is taken. */
  async insert(tx: Tx, account: { username: string; name: string; passwordHash: string }): Promise<UserRow> {
    const { username, name, passwordHash } = account;
    const [row] = await tx.query(sql<UserRow>`
      WITH made AS (
        INSERT INTO users (id, username, name) VALUES (next_id(${bucketOfHandle(username)}), ${username}, ${name})
        RETURNING id, username, name, profile
      ), kept AS (
        INSERT INTO credentials (user_id, password_hash) SELECT id, ${passwordHash} FROM made
      )
      SELECT * FROM made`);
    if (!row) throw new Error("an insert returned nothing");
    return row;
  }

  /**
   * Changes what is given and clears what is null; commits with it a job that drops the cached profile. Undefined where
   * there is no such user.
   */
  async update(id: Id, { name, ...profile }: ProfileChange): Promise<{ row: UserRow; job: Id } | undefined> {
    const [changed] = await this.#db.write(
      { id },
      sql<UserRow & { job: Id }>`
        UPDATE users SET name = coalesce(${name ?? null}, name),
                         profile = jsonb_strip_nulls(profile || ${JSON.stringify(profile)}::jsonb)
        WHERE id = ${id} AND closed_at IS NULL
        RETURNING id, username, name, profile,
                  enqueue(${bucketOf(id)}, 'profile', ${JSON.stringify({ id })}::jsonb) job`,
    );
    if (!changed) return undefined;
    const { job, ...row } = changed;
    return { row, job };
  }
}
