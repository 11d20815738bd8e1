import { sql } from "../../mixins/shard-db/index.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import { hashPassword } from "../../services/user/account/passwords.ts";
import { type Person, Roost } from "../support/roost.ts";

const password = "correct horse";
const PEOPLE = 14;
const LEAVING = 5;

/** What may stand in the way of people who do things with somebody who leaves at that moment. */
const IN_THE_WAY = ["NOT_FOUND", "FORBIDDEN", "UNAUTHORIZED", "CONFLICT"];
const attempt = (act: Promise<unknown>) =>
  act.catch((error: unknown) => {
    if (!IN_THE_WAY.includes(errorCode(error) ?? "")) throw error;
  });

describe("people who delete their accounts while everybody goes on", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
    await roost.addNode();
  });
  afterAll(() => roost.stop());

  it("leave the others as if they had never been, also where a process dies on the way", async () => {
    const people = await roost.people(PEOPLE);
    const hash = await hashPassword(password);
    const { db } = roost.resources;
    for (const { id } of people)
      await db.write({ id }, sql`INSERT INTO credentials (user_id, password_hash) VALUES (${id}, ${hash})`);
    const tweets: string[] = [];
    await Promise.all(people.map((who, i) => live(who, i, people, tweets)));
    await roost.settle();

    const [leaving, staying] = [people.slice(0, LEAVING), people.slice(LEAVING)];
    const left = Promise.all(leaving.map((who) => roost.call("user.close", { password }, who)));
    const lives = Promise.all(people.map((who, i) => live(who, i + 1, people, tweets)));
    await left;
    const node = roost.nodes.pop();
    await Promise.all([lives, node?.stop()]);
    for (const viewer of staying) {
      const shown = await roost.home(viewer);
      const gone = new Set(leaving.map(({ id }) => id));
      expect(shown.filter(({ author_id }) => gone.has(author_id))).toEqual([]);
    }

    await roost.settle();
    await db.readAll(sql`UPDATE outbox SET run_after = now() WHERE kind = 'erase'`);
    await roost.settle();
    for (const viewer of staying)
      expect(await roost.homeIds(viewer)).toEqual(await roost.oracle.homeOf(viewer.id));
    const rows = await roost.oracle.rows(
      `SELECT author_id FROM tweets WHERE author_id = ANY($1)
       UNION ALL SELECT src FROM edges WHERE src = ANY($1) OR dst = ANY($1)
       UNION ALL SELECT src FROM inverse_edges WHERE src = ANY($1) OR dst = ANY($1)`,
      [leaving.map(({ id }) => id)],
    );
    expect(rows).toEqual([]);
    expect(await roost.oracle.deadLetters()).toBe(0);
    expect(await roost.audit()).toEqual([]);
  });

  /** Somebody follows, tweets, replies, retweets, likes, mutes and blocks. */
  async function live(who: Person, turn: number, people: Person[], tweets: string[]): Promise<void> {
    const other = (n: number) =>
      people[(people.indexOf(who) + 1 + (n % (people.length - 1))) % people.length] ?? who;
    for (let n = turn; n < turn + 6; n++)
      await attempt(roost.call("graph.follow", { target_user_id: other(n).id }, who));
    await attempt(roost.call("graph.mute", { target_user_id: other(turn + 7).id }, who));
    await attempt(roost.call("graph.block", { target_user_id: other(turn + 9).id }, who));
    for (let n = 0; n < 4; n++) {
      const known = tweets[(turn * 7 + n * 3) % Math.max(1, tweets.length)];
      const refers = n % 2 === 0 && known ? { in_reply_to_tweet_id: known } : {};
      const made = roost.call("tweet.create", { text: `hello @${other(n).username}`, ...refers }, who);
      await attempt(made.then(({ id }) => tweets.push(id)));
      if (!known) continue;
      await attempt(roost.call("tweet.retweet", { tweet_id: known }, who));
      await attempt(roost.call("graph.like", { tweet_id: known }, who));
      await attempt(roost.call("graph.bookmark", { tweet_id: known }, who));
    }
  }
});
