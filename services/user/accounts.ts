import type { Batcher } from "../../mixins/batcher.ts";
import { ignoreDown } from "../../mixins/redis/leased.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { sqlState } from "../../mixins/shard-db/pools.ts";
import type { Id, ProfileChange, PublicUser, Session, UserExtras } from "../contracts/actions.ts";
import { invalidField, RoostError } from "../contracts/errors.ts";
import { unknownTweet } from "../tweet/originals.ts";
import { tweetNow } from "../tweet/tweet.repo.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import type { Sessions } from "./sessions.ts";
import { UserRepo } from "./user.repo.ts";
import { publicUser, type UserReader } from "./user-reader.ts";

/** Signing up and in, and everything that is asked or changed about accounts. */
export class Accounts {
  readonly #db: ShardDb;
  readonly #repo: UserRepo;
  readonly #sessions: Sessions;
  readonly #reader: UserReader;
  readonly #settled: Batcher<Id>;

  /** `settled` takes the outbox jobs whose effect was brought about at once. */
  constructor(parts: { db: ShardDb; sessions: Sessions; reader: UserReader; settled: Batcher<Id> }) {
    const { db, sessions, reader, settled } = parts;
    this.#db = db;
    this.#repo = new UserRepo(db);
    this.#sessions = sessions;
    this.#reader = reader;
    this.#settled = settled;
  }

  /** Makes an account and its first session in one transaction. 409 where the handle is taken, whatever its case. */
  async signUp(wish: { username: string; name: string; password: string }): Promise<Session> {
    const { username, name, password } = wish;
    const passwordHash = await hashPassword(password);
    try {
      return await this.#db.transaction({ handle: username }, async (tx) => {
        const row = await this.#repo.insert(tx, { username, name, passwordHash });
        const issued = await this.#sessions.open(tx, row.id);
        return { user: publicUser(row), ...issued };
      });
    } catch (error) {
      if (isTaken(error)) throw invalidField("username", username, "is taken", "CONFLICT");
      throw error;
    }
  }

  /** Opens a session. 401 where handle or password are wrong, in the same words and time for either. */
  async logIn({ username, password }: { username: string; password: string }): Promise<Session> {
    const account = await this.#repo.credentials(username);
    const right = await verifyPassword(password, account?.password_hash);
    if (!account || !right) throw new RoostError("UNAUTHORIZED", "The username or the password is wrong.");
    const issued = await this.#db.transaction({ id: account.id }, (tx) =>
      this.#sessions.open(tx, account.id),
    );
    return { user: await this.#one(account.id), ...issued };
  }

  /** Exchanges a refresh token for a new pair of tokens. 401 where it is not good. */
  async refresh(token: string): Promise<Session> {
    const renewed = await this.#sessions.refresh(token);
    if (!renewed) throw new RoostError("UNAUTHORIZED", "The refresh token is unknown, used or expired.");
    return { user: await this.#one(renewed.userId), ...renewed.issued };
  }

  /** The users that exist among `ids`, in that order. */
  async byIds(ids: readonly Id[], extras?: UserExtras): Promise<PublicUser[]> {
    const users = await this.#reader.get(ids, extras);
    return ids.flatMap((id) => users.get(id) ?? []);
  }

  /** The users that exist among `usernames`, in that order. */
  async byUsernames(usernames: readonly string[], extras?: UserExtras): Promise<PublicUser[]> {
    const ids = await this.resolve(usernames);
    return this.byIds(
      usernames.flatMap((username) => ids[username.toLowerCase()] ?? []),
      extras,
    );
  }

  /** Lower-case username → id, of those that exist. */
  async resolve(usernames: readonly string[]): Promise<Record<string, Id>> {
    const found = await this.#repo.byHandles(usernames);
    return Object.fromEntries(found.map(({ handle, id }) => [handle, id]));
  }

  /**
   * Changes a profile; the cached copy is dropped before and after, so that no old one is stored behind the change. Where
   * that fails, the outbox does it. Throws 404 where the tweet to be pinned is not there, 403 where it is another's.
   */
  async update(id: Id, change: ProfileChange): Promise<PublicUser> {
    if (change.pinned_tweet_id) await this.#requireOwnTweet(id, change.pinned_tweet_id);
    await this.#reader.forget(id).catch(ignoreDown);
    const changed = await this.#repo.update(id, change);
    if (!changed) throw unknownUser(id);
    await this.#reader.forget(id).then(() => this.#settled.add(changed.job), ignoreDown);
    return publicUser(changed.row);
  }

  async #requireOwnTweet(author: Id, id: Id): Promise<void> {
    const tweet = await tweetNow(this.#db, id);
    if (!tweet) throw unknownTweet("pinned_tweet_id", id);
    if (tweet.author_id !== author) {
      throw invalidField("pinned_tweet_id", id, "is not a tweet of yours", "FORBIDDEN");
    }
  }

  async #one(id: Id): Promise<PublicUser> {
    const [user] = await this.byIds([id]);
    if (!user) throw unknownUser(id);
    return user;
  }
}

function unknownUser(id: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find user with id: [${id}].`, {
    errors: [{ message: "names no user", parameters: { id: [id] } }],
  });
}

function isTaken(error: unknown): boolean {
  return (
    sqlState(error) === "23505" &&
    Error.isError(error) &&
    "constraint" in error &&
    error.constraint === "users_handle"
  );
}
