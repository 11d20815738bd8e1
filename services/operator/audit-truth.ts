import { limits } from "../../config/limits.ts";
import { isId, newestFirst } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { toTweet, tweetsByIds } from "../tweet/tweet.repo.ts";
import { ALIVE, DELETED } from "../tweet/tweet-cache.ts";
import { tokenSession } from "../user/sessions/session.repo.ts";
import { bucketOfSession, decodeSession, encodeSession } from "../user/sessions/session-entry.ts";
import { UserRepo } from "../user/user.repo.ts";
import { publicUser } from "../user/user-reader.ts";
import type { Entry, Expected } from "./audit-entries.ts";
import { pulledAuthors, relationsOfMany, sessionsBehind, tweetIdsAbove } from "./audit-redis.repo.ts";

/** More than any list holds: an author of whom so many are missing is found out by fewer. */
const PER_AUTHOR = limits.homeList.keep + limits.homeList.slack + 1;

/** What Postgres says that each of some entries should hold, by key; what says nothing wrong in any case is left out. */
export async function truthOf(db: ShardDb, entries: Entry[]): Promise<Map<string, Expected>> {
  const parts = await Promise.all([
    setsAndHomes(db, entries),
    authorLists(db, entries),
    tweets(db, entries),
    users(db, entries),
    sessions(db, entries),
  ]);
  return new Map(parts.flat());
}

type Found = [key: string, expected: Expected][];

async function setsAndHomes(db: ShardDb, entries: Entry[]): Promise<Found> {
  const viewers = entries.flatMap(({ name, owner }) =>
    name === "following" || name === "blocked" || name === "muted" || name === "home" ? owner : [],
  );
  const asked = viewers.length > 0 || entries.some(({ name }) => name === "pulled");
  if (!asked) return [];
  const [rows, pulled] = await Promise.all([relationsOfMany(db, viewers), pulledAuthors(db)]);
  const relations = new Map(rows.map((row) => [row.id, row]));
  const members = new Set(pulled.map(({ id }) => id));
  // Being announced: in some partitions' sets already.
  const optional = new Set(pulled.flatMap(({ id, state }) => (state === "entering" ? id : [])));
  // What was tweeted while an author was pulled is not in the lists, also for a while after.
  const pushedBy = (viewer: Id) =>
    (relations.get(viewer)?.following ?? []).filter((author) => !members.has(author));
  const homes = await homeLists(db, entries, pushedBy);
  const sets = entries.flatMap(({ key, name, owner }): Found => {
    if (name === "pulled") return [[key, { members, optional }]];
    if (name !== "following" && name !== "blocked" && name !== "muted") return [];
    return [[key, { members: new Set(relations.get(owner)?.[name]) }]];
  });
  return [...sets, ...homes];
}

async function homeLists(db: ShardDb, entries: Entry[], authorsOf: (viewer: Id) => Id[]): Promise<Found> {
  const lists = entries.flatMap((entry) =>
    entry.name === "home" ? { ...entry, authors: authorsOf(entry.owner) } : [],
  );
  const floors = new Map<Id, Id>();
  for (const { floor, authors } of lists) {
    for (const author of authors) {
      const known = floors.get(author);
      if (known === undefined || newestFirst(known, floor) < 0) floors.set(author, floor);
    }
  }
  const byAuthor = await tweetIdsAbove(db, floors, PER_AUTHOR);
  return lists.map(({ key, floor, authors }) => [
    key,
    { ids: authors.flatMap((author) => byAuthor.get(author) ?? []), floor, foreign: new Set() },
  ]);
}

/** An author's own list is shown as it is, but for tweets that are gone: nobody else's tweet may be in it. */
async function authorLists(db: ShardDb, entries: Entry[]): Promise<Found> {
  const lists = entries.flatMap((entry) => (entry.name === "author" ? entry : []));
  const byAuthor = await tweetIdsAbove(
    db,
    new Map(lists.map(({ owner, floor }) => [owner, floor])),
    PER_AUTHOR,
  );
  const others = lists.flatMap(({ owner, ids }) => {
    const own = new Set(byAuthor.get(owner));
    return ids.filter((id) => isId(id) && !own.has(id));
  });
  const found = await tweetsByIds(db, others);
  return lists.map(({ key, owner, floor }) => {
    const foreign = found.flatMap(({ id, author_id }) => (author_id === owner ? [] : id));
    return [key, { ids: byAuthor.get(owner) ?? [], floor, foreign: new Set(foreign) }];
  });
}

async function tweets(db: ShardDb, entries: Entry[]): Promise<Found> {
  const known = entries.filter(({ name }) => name === "state" || name === "tweet");
  const rows = await tweetsByIds(
    db,
    known.map(({ owner }) => owner),
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return known.flatMap(({ key, name, owner }): Found => {
    const row = byId.get(owner);
    if (name === "state") return [[key, { payload: row ? ALIVE : DELETED }]];
    // The body of a deleted tweet may stay: nobody asks for it.
    return row ? [[key, { payload: JSON.stringify(toTweet(row)) }]] : [];
  });
}

async function users(db: ShardDb, entries: Entry[]): Promise<Found> {
  const known = entries.filter(({ name }) => name === "user");
  const rows = await new UserRepo(db).byIds(known.map(({ owner }) => owner));
  const byId = new Map(rows.map((row) => [row.id, JSON.stringify(publicUser(row))]));
  return known.map(({ key, owner }) => [key, { payload: byId.get(owner) }]);
}

/** A session that has expired says nothing any more. */
async function sessions(db: ShardDb, entries: Entry[]): Promise<Found> {
  const known = entries.flatMap((entry) => {
    const session = entry.name === "session" ? decodeSession(entry.payload) : undefined;
    return session ? { key: entry.key, hash: entry.owner, bucket: bucketOfSession(session) } : [];
  });
  const rows = await sessionsBehind(db, known);
  const byHash = new Map(
    rows.map((row) => [
      row.access_hash.toString("base64url"),
      encodeSession(tokenSession(row), row.access_expires.getTime()),
    ]),
  );
  return known.map(({ key, hash }) => [key, { payload: byHash.get(hash) }]);
}
