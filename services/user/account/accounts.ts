import type { Batcher } from "../../../mixins/batcher.ts";
import { retrySoon } from "../../../mixins/outbox.repo.ts";
import { ignoreDown } from "../../../mixins/redis/leased.ts";
import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import type { ShardDb, Tx } from "../../../mixins/shard-db/index.ts";
import { sqlState } from "../../../mixins/shard-db/pools.ts";
import type { ParamsOf } from "../../contracts/actions.ts";
import { invalidField, RoostError } from "../../contracts/errors.ts";
import type { Session, Viewer } from "../../contracts/sessions.ts";
import type { Id, ProfileChange, PublicUser, UserExtras } from "../../contracts/users.ts";
import { unknownTweet } from "../../tweet/originals.ts";
import { tweetNow } from "../../tweet/tweet.repo.ts";
import { idUnder } from "../handles.ts";
import type { CodeRepo } from "../oauth/code.repo.ts";
import type { Sessions } from "../sessions/index.ts";
import { UserRepo } from "../user.repo.ts";
import { publicUser, type UserReader } from "../user-reader.ts";
import type { Erasure } from "./erasure.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

/** Signing up and in, and everything that is asked or changed about accounts. */
export class Accounts {
  readonly #db: ShardDb;
  readonly #repo: UserRepo;
  readonly #sessions: Sessions;
  readonly #reader: UserReader;
  readonly #codes: CodeRepo;
  readonly #erasure: Erasure;
  readonly #settled: Batcher<Id>;

  /** `settled` takes the outbox jobs whose effect was brought about at once. */
  constructor(parts: {
    db: ShardDb;
    sessions: Sessions;
    reader: UserReader;
    codes: CodeRepo;
    erasure: Erasure;
    settled: Batcher<Id>;
  }) {
    const { db, sessions, reader, codes, erasure, settled } = parts;
    this.#db = db;
    this.#repo = new UserRepo(db);
    this.#sessions = sessions;
    this.#reader = reader;
    this.#codes = codes;
    this.#erasure = erasure;
    this.#settled = settled;
  }

  /** Makes an account and its first session in one transaction. 409 where the handle is taken, whatever its case. */
  async signUp(wish: ParamsOf<"user.signup">): Promise<Session> {
    const { username, name, password, user_agent: userAgent } = wish;
    const passwordHash = await hashPassword(password);
    try {
      return await this.#db.transaction({ handle: username }, async (tx) => {
        const row = await this.#repo.insert(tx, { username, name, passwordHash });
        const issued = await this.#sessions.open(tx, { userId: row.id, userAgent });
        return { user: publicUser(row), ...issued };
      });
    } catch (error) {
      if (isTaken(error)) throw invalidField("username", username, "is taken", "CONFLICT");
      throw error;
    }
  }

  /** Opens a session. 401 where handle or password are wrong, in the same words and time for either. */
  async logIn({ user_agent: userAgent, ...who }: ParamsOf<"user.login">): Promise<Session> {
    const { userId, opened } = await this.#signedIn(who, (tx, userId) =>
      this.#sessions.open(tx, { userId, userAgent }),
    );
    return { user: await this.#one(userId), ...opened };
  }

  /** The same for the consent page: the session has no scope, so it allows nothing but to answer that page. */
  async logInBrowser({ user_agent: userAgent, ...who }: ParamsOf<"user.browserLogin">) {
    const { userId, opened } = await this.#signedIn(who, (tx, userId) =>
      this.#sessions.openOnce(tx, { userId, userAgent, scopes: [] }),
    );
    return { user: await this.#one(userId), ...opened };
  }

  /** Exchanges a refresh token for a new pair of tokens. 401 where it is not good, or an app's. */
  async refresh(token: string): Promise<Session> {
    const session = await this.#sessions.behindRefresh(token);
    const renewed = session && !session.client_id ? await this.#sessions.refresh(token, session) : undefined;
    if (!renewed) throw new RoostError("UNAUTHORIZED", "The refresh token is unknown, used or expired.");
    return { user: await this.#one(renewed.userId), ...renewed.issued };
  }

  /** Ends the viewer's other sessions, those of apps too. 403 where the current password is wrong. */
  async changePassword(viewer: Viewer, current: string, next: string): Promise<{ changed: boolean }> {
    const { userId, sessionId } = viewer;
    const known = await this.#checkPassword(userId, current);
    const passwordHash = await hashPassword(next);
    await this.#sessions.revoking(bucketOf(userId), async (tx, hide) => {
      if (!(await this.#repo.replacePassword(tx, userId, known, passwordHash))) throw wrongPassword();
      await this.#codes.deleteOf(tx, userId);
      await this.#sessions.endOthersIn(tx, hide, userId, sessionId);
    });
    return { changed: true };
  }

  /** The stored hash of a signed-in user's password. Throws 403 where the password is another. */
  async #checkPassword(userId: Id, password: string): Promise<string> {
    const known = await this.#repo.passwordHash(userId);
    const right = await verifyPassword(password, known);
    if (!known || !right) throw wrongPassword();
    return known;
  }

  /** Deletes the viewer's account: see Erasure. 403 where the password is wrong. */
  async close({ userId }: Viewer, password: string): Promise<{ deleted: boolean }> {
    const known = await this.#checkPassword(userId, password);
    if (!(await this.#erasure.close(userId, known))) throw wrongPassword();
    return { deleted: true };
  }

  /** Checks a password, and opens a session unless it was changed meanwhile: that would have ended the session. */
  async #signedIn<T>(
    { username, password }: { username: string; password: string },
    open: (tx: Tx, userId: Id) => Promise<T>,
  ): Promise<{ userId: Id; opened: T }> {
    const refused = new RoostError("UNAUTHORIZED", "The username or the password is wrong.");
    const account = await this.#repo.credentials(username);
    const right = await verifyPassword(password, account?.password_hash);
    if (!account || !right) throw refused;
    const { id: userId, password_hash } = account;
    const opened = await this.#db.transaction({ id: userId }, async (tx) => {
      if (!(await this.#repo.lockPassword(tx, userId, password_hash))) throw refused;
      return open(tx, userId);
    });
    return { userId, opened };
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
      usernames.flatMap((username) => idUnder(ids, username) ?? []),
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
    try {
      await this.#reader.forget(id);
      this.#settled.add(changed.job);
    } catch (error) {
      ignoreDown(error);
      await retrySoon(this.#db, [changed.job], error);
    }
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

function wrongPassword(): RoostError {
  return new RoostError("FORBIDDEN", "The current password is wrong.", {
    errors: [{ message: "is wrong", parameters: { password: [] } }],
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
