import { Client } from "./client.ts";

/** A write, and the look at it that must show it. */
export interface Pair {
  name: string;
  write(): Promise<unknown>;
  shows(reader: Client): Promise<boolean>;
}

/** The ids of a list, as one of its readers sees its first page. */
export async function listed(reader: Client, path: string): Promise<string[]> {
  const { status, body } = await reader.read(path);
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return ((body.data ?? []) as { id: string }[]).map(({ id }) => id); // the contract of 200
}

/** One of the public metrics of what a path leads to. */
export async function metric(reader: Client, path: string, name: string): Promise<number> {
  const { body } = await reader.read(path);
  return (body.data as { public_metrics: Record<string, number> }).public_metrics[name] ?? Number.NaN; // asked for
}

/** The same user through another gateway. */
export function through(url: string, { id, username, token }: Client): Client {
  return new Client(url, { id, username, token });
}

/** Somebody who writes and then looks, over and over: each pair leaves things so that the next one changes them. */
export class Writer {
  readonly me: Client;
  readonly #others: readonly Client[];
  readonly #tweets: readonly string[];
  readonly #on = new Map<string, boolean>();
  /** They have tweeted once already. */
  #tweeted = 1;

  constructor(me: Client, others: readonly Client[], tweets: readonly string[]) {
    this.me = me;
    this.#others = others;
    this.#tweets = tweets;
  }

  /** The nth pair. */
  pair(n: number): Pair {
    const { id } = this.me;
    const other = this.#others[n % this.#others.length]?.id ?? "";
    const tweet = this.#tweets[n % this.#tweets.length] ?? "";
    const kinds: (() => Pair)[] = [
      () =>
        this.#toggled(
          `following/${other}`,
          `following`,
          { target_user_id: other },
          `/2/users/${id}/following`,
          other,
        ),
      () =>
        this.#toggled(
          `following/${other}`,
          `following`,
          { target_user_id: other },
          `/2/users/${other}/followers`,
          id,
        ),
      () =>
        this.#toggled(`likes/${tweet}`, "likes", { tweet_id: tweet }, `/2/users/${id}/liked_tweets`, tweet),
      () =>
        this.#toggled(`likes/${tweet}`, "likes", { tweet_id: tweet }, `/2/tweets/${tweet}/liking_users`, id),
      () =>
        this.#toggled(
          `bookmarks/${tweet}`,
          "bookmarks",
          { tweet_id: tweet },
          `/2/users/${id}/bookmarks`,
          tweet,
        ),
      () =>
        this.#toggled(`muting/${other}`, "muting", { target_user_id: other }, `/2/users/${id}/muting`, other),
      () => this.#tweetCounted(),
    ];
    return (kinds[n % kinds.length] ?? this.#tweetCounted.bind(this))();
  }

  /** On where it is off, and the other way round; then the list has `what`, or has it no more. */
  #toggled(key: string, edge: string, body: object, list: string, what: string): Pair {
    const on = !this.#on.get(key);
    this.#on.set(key, on);
    const base = `/2/users/${this.me.id}`;
    return {
      name: `${on ? "POST" : "DELETE"} ${edge}, GET ${list}`,
      write: () =>
        on ? this.me.request("POST", `${base}/${edge}`, body) : this.me.request("DELETE", `${base}/${key}`),
      shows: async (reader) => (await listed(reader, `${list}?max_results=100`)).includes(what) === on,
    };
  }

  #tweetCounted(): Pair {
    this.#tweeted++;
    const path = `/2/users/${this.me.id}?user.fields=public_metrics`;
    return {
      name: "POST tweets, GET tweet_count",
      write: () => this.me.tweet(`tweet ${this.#tweeted} of ${this.me.id}`),
      shows: async (reader) => (await metric(reader, path, "tweet_count")) === this.#tweeted,
    };
  }
}
