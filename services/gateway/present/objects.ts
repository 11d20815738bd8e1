import { REPLY_SETTINGS } from "../../contracts/tweets.ts";
import {
  boolean,
  choice,
  integer,
  list,
  named,
  object,
  type Schema,
  string,
  stringLists,
  type TypeOf,
} from "../schema.ts";

/** The objects of the X API as Roost has them: one definition for what presenters return and for the reference. */

const ID = string({ pattern: "^[0-9]{1,19}$", examples: ["2244994945"] });
const TIME = string({ format: "date-time" });
const COUNT = integer({ minimum: 0 });
const SPAN = { start: COUNT, end: COUNT };
const HANDLE = string({ pattern: "^[A-Za-z0-9_]{1,15}$" });
const some = <T>(item: Schema<T>) => list(item, { minItems: 1 });

const TAG = object({ ...SPAN, tag: string() });
const URL = object({ ...SPAN, url: string() }, { expanded_url: string(), display_url: string() });

export const ENTITIES = named(
  "Entities",
  object(
    {},
    {
      mentions: some(object({ ...SPAN, username: HANDLE }, { id: ID })),
      hashtags: some(TAG),
      cashtags: some(TAG),
      urls: some(URL),
    },
    { description: "What a text names. `start` and `end` count Unicode code points; `end` is exclusive." },
  ),
);

const TWEET_METRICS = object({
  retweet_count: COUNT,
  reply_count: COUNT,
  like_count: COUNT,
  quote_count: COUNT,
  bookmark_count: COUNT,
  impression_count: COUNT,
});

export const TWEET = named(
  "Tweet",
  object(
    { id: ID, text: string(), edit_history_tweet_ids: some(ID) },
    {
      author_id: ID,
      conversation_id: ID,
      created_at: TIME,
      display_text_range: list(COUNT, { minItems: 2, maxItems: 2 }),
      edit_controls: object({ is_edit_eligible: boolean(), edits_remaining: COUNT, editable_until: TIME }),
      entities: ENTITIES,
      in_reply_to_user_id: ID,
      lang: string({ description: "BCP 47; `und` where it could not be told." }),
      possibly_sensitive: boolean(),
      public_metrics: TWEET_METRICS,
      referenced_tweets: some(
        object({ type: choice(["retweeted", "quoted", "replied_to"] as const), id: ID }),
      ),
      reply_settings: choice(["everyone", ...REPLY_SETTINGS] as const),
    },
  ),
);
export type TweetJson = TypeOf<typeof TWEET>;

const USER_METRICS = object({
  followers_count: COUNT,
  following_count: COUNT,
  tweet_count: COUNT,
  listed_count: COUNT,
});

export const USER = named(
  "User",
  object(
    { id: ID, name: string(), username: HANDLE },
    {
      created_at: TIME,
      description: string(),
      entities: object({}, { description: ENTITIES, url: object({}, { urls: some(URL) }) }),
      location: string(),
      most_recent_tweet_id: ID,
      pinned_tweet_id: ID,
      profile_image_url: string({ format: "uri" }),
      protected: boolean(),
      public_metrics: USER_METRICS,
      url: string(),
      verified: boolean(),
      verified_type: choice(["none"] as const),
    },
  ),
);
export type UserJson = TypeOf<typeof USER>;

const FIELD_ERROR = object({ message: string(), parameters: stringLists() });

/** An HTTP problem (RFC 9457) in the X API's form. */
export const PROBLEM = named(
  "Problem",
  object(
    { type: string({ format: "uri-reference" }), title: string() },
    {
      status: integer({ minimum: 400, maximum: 599 }),
      detail: string(),
      errors: some(FIELD_ERROR),
      value: string(),
      parameter: string(),
      resource_id: string(),
      id: string(),
      resource_type: choice(["user", "tweet"] as const),
      section: choice(["data", "includes"] as const),
    },
    { description: "What went wrong (RFC 9457), and which parameters are at fault." },
  ),
);
export type Problem = TypeOf<typeof PROBLEM>;

const INCLUDES = named("Includes", object({}, { users: some(USER), tweets: some(TWEET) }));
export type Includes = TypeOf<typeof INCLUDES>;
const ERRORS = some(PROBLEM);
const TOKENS = { next_token: string(), previous_token: string() };
const RESULT_COUNT = { result_count: COUNT };

/** What an answer holds beside its data; what is undefined is absent from the JSON. */
const BESIDE = { includes: INCLUDES, errors: ERRORS };

export const TWEET_ANSWER = named("TweetAnswer", object({ data: TWEET }, BESIDE));
export const TWEETS_ANSWER = named("TweetsAnswer", object({}, { data: some(TWEET), ...BESIDE }));
export const TIMELINE_ANSWER = named(
  "TimelineAnswer",
  object(
    { meta: object(RESULT_COUNT, { newest_id: ID, oldest_id: ID, ...TOKENS }) },
    { data: some(TWEET), ...BESIDE },
  ),
);
export const COUNTS_ANSWER = named(
  "CountsAnswer",
  object(
    { meta: object({ total_tweet_count: COUNT }) },
    { data: some(object({ start: TIME, end: TIME, tweet_count: COUNT })), errors: ERRORS },
  ),
);
export const USER_ANSWER = named("UserAnswer", object({ data: USER }, BESIDE));
export const USERS_ANSWER = named("UsersAnswer", object({}, { data: some(USER), ...BESIDE }));
export const USER_PAGE_ANSWER = named(
  "UserPageAnswer",
  object({ meta: object(RESULT_COUNT, TOKENS) }, { data: some(USER), ...BESIDE }),
);

const RULE = object({ value: string() }, { id: ID, tag: string() });
const SENT = { sent: TIME };
export const RULES_ANSWER = named(
  "RulesAnswer",
  object({ data: list(RULE), meta: object(SENT, { result_count: COUNT, next_token: string() }) }),
);
const SUMMARY = object(
  {},
  { created: COUNT, not_created: COUNT, valid: COUNT, invalid: COUNT, deleted: COUNT, not_deleted: COUNT },
);
export const RULES_CHANGED = named(
  "RulesChanged",
  object({ meta: object({ ...SENT, summary: SUMMARY }) }, { data: list(RULE), errors: ERRORS }),
);
export const FILTERED_ANSWER = named(
  "FilteredAnswer",
  object({ data: TWEET, matching_rules: some(object({ id: ID }, { tag: string() })) }, BESIDE),
);

/** A small answer that tells what has been done. */
export function done<T>(data: Schema<T>): Schema<{ data: T }> {
  return object({ data });
}

export const SESSION_ANSWER = named(
  "SessionAnswer",
  object({
    data: object({ id: ID, name: string(), username: HANDLE }),
    token_type: choice(["bearer"] as const),
    access_token: string(),
    refresh_token: string(),
    expires_in: integer({ minimum: 1, description: "Seconds until the access token expires." }),
  }),
);

export const APP = named(
  "App",
  object({
    client_id: string(),
    name: string(),
    type: choice(["public", "confidential"] as const),
    redirect_uris: some(string({ format: "uri" })),
    created_at: TIME,
  }),
);
/** What is shown once. */
export const APP_WITH_SECRET = named(
  "AppWithSecret",
  object(
    {
      client_id: string(),
      name: string(),
      type: choice(["public", "confidential"] as const),
      redirect_uris: some(string({ format: "uri" })),
      created_at: TIME,
    },
    { client_secret: string({ description: "Shown this once. A public app has none." }) },
  ),
);

export const LISTED_SESSION = named(
  "Session",
  object(
    {
      id: string({ format: "uuid" }),
      created_at: TIME,
      expires_at: TIME,
      current: boolean({ description: "Whether it is the session that asks." }),
    },
    {
      refreshed_at: TIME,
      user_agent: string(),
      app: object({ client_id: string() }, { name: string() }, { description: "The app that has it." }),
      scopes: list(string()),
    },
  ),
);

export const OAUTH_TOKEN = named(
  "OAuthToken",
  object(
    { token_type: choice(["bearer"] as const), access_token: string(), expires_in: integer({ minimum: 1 }) },
    { scope: string(), refresh_token: string() },
  ),
);

/** RFC 6749, section 5.2. */
export const OAUTH_ERROR = named("OAuthError", object({ error: string() }, { error_description: string() }));

const SINCE = { since: TIME };
const USERS_SINCE = list(object({ user_id: ID, ...SINCE }));
const TWEETS_SINCE = list(object({ tweet_id: ID, ...SINCE }));

/** All that is stored about somebody. Its tweets are as they are stored. */
export const EXPORT = named(
  "Export",
  object(
    {
      exported_at: TIME,
      account: USER,
      sessions: list(LISTED_SESSION),
      apps: list(APP),
      tweets: list(
        object(
          { id: ID, author_id: ID, text: string(), created_at: TIME, conversation_id: ID },
          {},
          {
            additionalProperties: true,
          },
        ),
      ),
      following: USERS_SINCE,
      followers: USERS_SINCE,
      blocking: USERS_SINCE,
      muting: USERS_SINCE,
      likes: TWEETS_SINCE,
      bookmarks: TWEETS_SINCE,
      mentions: TWEETS_SINCE,
    },
    {
      counters: object({}, {}, { additionalProperties: integer().json }),
      delivery: object({}, {}, { additionalProperties: true }),
      idempotency_keys: list(object({ key: string(), tweet_id: ID, created_at: string() })),
      stream_rules: list(object({ value: string() }, { tag: string(), client_id: string() })),
    },
  ),
);
