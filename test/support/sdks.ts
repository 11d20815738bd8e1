import * as xdk from "@xdevplatform/xdk";
import { auth, Client as SdkClient } from "twitter-api-sdk";
import { allow, Browser, pkce, REDIRECT } from "./oauth.ts";

/** An app, as its developer registered it. */
export interface RegisteredApp {
  client_id: string;
  client_secret: string;
}

/** A tweet or user, as far as a test looks. */
export interface Named {
  id: string;
  text?: string;
  username?: string;
}

/** What a person does through an SDK. Lists follow every page. */
export interface Session {
  me(): Promise<Named>;
  tweet(text: string, about?: { replyTo?: string; quote?: string }): Promise<string>;
  delete(tweet: string): Promise<boolean | undefined>;
  like(id: string, tweet: string): Promise<boolean | undefined>;
  unlike(id: string, tweet: string): Promise<boolean | undefined>;
  retweet(id: string, tweet: string): Promise<boolean | undefined>;
  follow(id: string, whom: string): Promise<boolean | undefined>;
  unfollow(id: string, whom: string): Promise<boolean | undefined>;
  home(id: string, pageSize: number): Promise<Named[]>;
  tweetsOf(id: string): Promise<Named[]>;
  mentions(id: string): Promise<Named[]>;
  followers(id: string): Promise<Named[]>;
  likers(tweet: string): Promise<Named[]>;
  search(query: string): Promise<Named[]>;
  /** Exchanges the tokens for new ones. */
  refresh(): Promise<void>;
}

/** An SDK of X's, unmodified; only where it looks for the API is said. */
export interface Sdk {
  name: string;
  /** Signs a person in with PKCE, in a browser of theirs. */
  signIn(url: string, app: RegisteredApp, person: { username: string }): Promise<Session>;
  /** Delivers tweets by rules with an app's own token, until `signal` is aborted. */
  stream(
    url: string,
    token: string,
    rules: { value: string; tag: string }[],
    signal: AbortSignal,
  ): AsyncGenerator<{ tweet: Named; tags: string[] }>;
}

const SCOPES = [
  "tweet.read",
  "tweet.write",
  "users.read",
  "follows.read",
  "follows.write",
  "like.read",
  "like.write",
  "offline.access",
] as const;

/** The SDK's URL of the consent page, on our host. */
const pathOf = (authorizationUrl: string): string => {
  const { pathname, search } = new URL(authorizationUrl);
  return pathname + search;
};

const codeIn = (location: URL): string => location.searchParams.get("code") ?? "";

/** The one that takes a base URL, of the years when X was Twitter. */
export const twitterApiSdk: Sdk = {
  name: "twitter-api-sdk",

  async signIn(url, { client_id, client_secret }, person) {
    const user = new auth.OAuth2User({
      ...{ client_id, client_secret, callback: REDIRECT, scopes: [...SCOPES] },
      request_options: { base_url: url },
    });
    const asked = user.generateAuthURL({ state: "some state", code_challenge_method: "s256" });
    const location = await allow(new Browser(url), pathOf(asked), person);
    expect(location.searchParams.get("state")).toBe("some state");
    await user.requestAccessToken(codeIn(location));
    const { tweets, users } = new SdkClient(user, { base_url: url });
    return {
      me: async () => named(await users.findMyUser()),
      tweet: async (text, { replyTo, quote } = {}) => {
        const reply = replyTo ? { reply: { in_reply_to_tweet_id: replyTo } } : {};
        const body = { text, ...reply, ...(quote ? { quote_tweet_id: quote } : {}) };
        return named(await tweets.createTweet(body)).id;
      },
      delete: async (id) => (await tweets.deleteTweetById(id)).data?.deleted,
      like: async (id, tweet_id) => (await tweets.usersIdLike(id, { tweet_id })).data?.liked,
      unlike: async (id, tweet) => (await tweets.usersIdUnlike(id, tweet)).data?.liked,
      retweet: async (id, tweet_id) => (await tweets.usersIdRetweets(id, { tweet_id })).data?.retweeted,
      follow: async (id, target_user_id) =>
        (await users.usersIdFollow(id, { target_user_id })).data?.following,
      unfollow: async (id, whom) => (await users.usersIdUnfollow(id, whom)).data?.following,
      home: (id, max_results) => all(tweets.usersIdTimeline(id, { max_results })),
      tweetsOf: (id) => all(tweets.usersIdTweets(id, { max_results: 5 })),
      mentions: (id) => all(tweets.usersIdMentions(id, { max_results: 5 })),
      followers: (id) => all(users.usersIdFollowers(id, { max_results: 1 })),
      likers: (id) => all(users.tweetsIdLikingUsers(id, { max_results: 1 })),
      search: (query) => all(tweets.tweetsRecentSearch({ query, max_results: 10 })),
      refresh: async () => void (await user.refreshAccessToken()),
    };
  },

  async *stream(url, token, rules, signal) {
    const { tweets } = new SdkClient(token, { base_url: url });
    const { meta } = await tweets.addOrDeleteRules({ add: rules });
    expect(meta.summary).toMatchObject({ created: rules.length, invalid: 0 });
    for await (const { data, matching_rules } of tweets.searchStream({}, { signal })) {
      if (data) yield { tweet: data, tags: (matching_rules ?? []).map(({ tag }) => tag ?? "") };
    }
  },
};

/** The one that X keeps now. It takes a base URL, but for tokens, which it asks of api.x.com. */
export const xDevPlatformXdk: Sdk = {
  name: "@xdevplatform/xdk",

  async signIn(url, { client_id, client_secret }, person) {
    const oauth = new xdk.OAuth2({
      ...{ clientId: client_id, clientSecret: client_secret, redirectUri: REDIRECT, scope: [...SCOPES] },
    });
    const { verifier, challenge } = pkce();
    await oauth.setPkceParameters(verifier, challenge);
    const asked = await oauth.getAuthorizationUrl("some state");
    const location = await allow(new Browser(url), pathOf(asked), person);
    await apiOfXAt(url, () => oauth.exchangeCode(codeIn(location), verifier));
    const client = () =>
      new xdk.Client({ baseUrl: url, accessToken: oauth.getToken()?.access_token ?? "", retry: false });
    const pages = (read: (token?: string) => Promise<XdkPage>) => allOf(read);
    const of = (paginationToken?: string) => (paginationToken ? { paginationToken } : {});
    return {
      me: async () => named(await client().users.getMe()),
      tweet: async (text, { replyTo, quote } = {}) => {
        const reply = replyTo ? { reply: { inReplyToTweetId: replyTo } } : {};
        const body = { text, ...reply, ...(quote ? { quoteTweetId: quote } : {}) };
        return named(await client().posts.create(body)).id;
      },
      delete: async (id) => (await client().posts.delete(id)).data?.deleted,
      like: async (id, tweetId) => (await client().users.likePost(id, { tweetId })).data?.liked,
      unlike: async (id, tweet) => (await client().users.unlikePost(id, tweet)).data?.liked,
      retweet: async (id, tweetId) => (await client().users.repostPost(id, { tweetId })).data?.retweeted,
      follow: async (id, targetUserId) =>
        (await client().users.followUser(id, { targetUserId })).data?.following,
      unfollow: async (id, whom) => (await client().users.unfollowUser(id, whom)).data?.following,
      home: (id, maxResults) => pages((t) => client().users.getTimeline(id, { maxResults, ...of(t) })),
      tweetsOf: (id) => pages((t) => client().users.getPosts(id, { maxResults: 5, ...of(t) })),
      mentions: (id) => pages((t) => client().users.getMentions(id, { maxResults: 5, ...of(t) })),
      followers: (id) => pages((t) => client().users.getFollowers(id, { maxResults: 1, ...of(t) })),
      likers: (id) => pages((t) => client().posts.getLikingUsers(id, { maxResults: 1, ...of(t) })),
      search: (query) => pages((t) => client().posts.searchRecent(query, { maxResults: 10, ...of(t) })),
      refresh: async () => void (await apiOfXAt(url, () => oauth.refreshToken())),
    };
  },

  async *stream(url, token, rules, signal) {
    const { stream } = new xdk.Client({ baseUrl: url, bearerToken: token, retry: false });
    await stream.updateRules({ add: rules });
    const events = await stream.posts({ signal });
    for await (const { data, matching_rules } of events) {
      if (data) yield { tweet: data, tags: (matching_rules ?? []).map(({ tag }: { tag: string }) => tag) };
    }
  },
};

interface XdkPage {
  data?: { id?: string }[];
  meta?: { nextToken?: string };
}

async function allOf(read: (token?: string) => Promise<XdkPage>): Promise<Named[]> {
  const found: Named[] = [];
  let token: string | undefined;
  do {
    const { data, meta } = await read(token);
    found.push(...(data ?? []).map((one) => named({ data: one })));
    token = meta?.nextToken;
  } while (token);
  return found;
}

async function all(pages: AsyncIterable<{ data?: Named[] }>): Promise<Named[]> {
  const found: Named[] = [];
  for await (const { data } of pages) found.push(...(data ?? []));
  return found;
}

function named({ data }: { data?: { id?: string } }): Named {
  if (!data?.id) throw new Error(`no data: ${JSON.stringify(data)}`);
  return { ...data, id: data.id };
}

/** What a resolver would do that knows another address of api.x.com. */
async function apiOfXAt<T>(url: string, work: () => Promise<T>): Promise<T> {
  const original = globalThis.fetch;
  globalThis.fetch = (input, init) => original(String(input).replace("https://api.x.com", url), init);
  try {
    return await work();
  } finally {
    globalThis.fetch = original;
  }
}
