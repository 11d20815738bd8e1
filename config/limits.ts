/**
 * Every number that bounds what a client may ask for or a process may hold. Times in ms, sizes in bytes.
 */
export const limits = {
  /**
   * Requests per window, by endpoint class: a token bucket each. Signed out, an IP address has it; an app that asks for
   * itself, the app; a user by "user and app" one with each app, by "user" one in all, so that nobody writes more by
   * registering apps.
   */
  rates: {
    signup: { perWindow: 30, windowMs: 15 * 60_000, by: "user" },
    login: { perWindow: 30, windowMs: 15 * 60_000, by: "user" },
    /**
     * Wrong passwords, by the account that is tried: from one address, and from all together, which are more, so that
     * somebody's guesses do not shut out the account's owner.
     */
    password: { perWindow: 10, windowMs: 15 * 60_000, by: "user" },
    passwordAnywhere: { perWindow: 100, windowMs: 15 * 60_000, by: "user" },
    /** New apps: each has limits of its own. */
    apps: { perWindow: 20, windowMs: 86_400_000, by: "user" },
    /** Exports of all one's data. */
    export: { perWindow: 5, windowMs: 15 * 60_000, by: "user" },
    /** Token requests, refreshes and pages of consent. */
    oauth: { perWindow: 600, windowMs: 15 * 60_000, by: "user" },
    compose: { perWindow: 100, windowMs: 15 * 60_000, by: "user" },
    write: { perWindow: 300, windowMs: 15 * 60_000, by: "user" },
    read: { perWindow: 900, windowMs: 15 * 60_000, by: "user and app" },
    search: { perWindow: 450, windowMs: 15 * 60_000, by: "user and app" },
  },
  /** Largest request body the gateway reads. */
  bodyBytes: 64 * 1024,
  /** Characters of a tweet before URLs are shortened; what twitter-text makes of more takes it seconds. */
  tweetChars: 4_096,
  /** Ids or usernames in one lookup, as in the X API. */
  lookup: 100,
  timelinePage: { min: 1, default: 100, max: 100 },
  likedPage: { min: 5, default: 100, max: 100 },
  quotesPage: { min: 10, default: 10, max: 100 },
  userTimelinePage: { min: 5, default: 10, max: 100 },
  listPage: { min: 1, default: 100, max: 1000 },
  /** Who liked or retweeted a tweet. */
  engagedPage: { min: 1, default: 100, max: 100 },
  /** Search over the tweets of the last `reachMs`. */
  search: {
    /** Longest query, in characters; also of a rule of the filtered stream. */
    queryLength: 512,
    /** Words of a phrase; in scripts without spaces, characters. */
    phrase: 64,
    /** Parentheses within parentheses. */
    depth: 20,
    reachMs: 7 * 86_400_000,
    page: { min: 10, default: 10, max: 100 },
    /**
     * Searches that a process has under way at a time, in all and of one user or app, a connection to each shard for each;
     * how long others wait.
     */
    gate: { atOnce: 8, each: 3, waitMs: 10_000 },
  },
  /** The filtered stream and the stream of the home timeline, in each gateway process. */
  streams: {
    /** Of a user or an app by itself. */
    connectionsEach: 10,
    connections: 1_000,
    /** What is sent where nothing else is. */
    heartbeatMs: 15_000,
    /** What may wait for a reader; one who falls further behind is dropped. */
    bufferBytes: 512 * 1024,
    /** New tweets that may wait for a connection's own questions. */
    queued: 1_000,
    /** Shards are asked for new tweets this often, and so long after a nudge. */
    pollMs: 1_000,
    debounceMs: 25,
    /** Longer than a tweet takes from its id to its commit, fan-out included. */
    overlapMs: 10_000,
    /** Tweets that a shard answers at a time. */
    batch: 5_000,
    /** A home timeline is read this often without a nudge, and again so long after one that brought nothing yet. */
    homePollMs: 5_000,
    homeRetriesMs: [50, 200, 600],
    /** Entries of a home timeline that a resumed stream replays at most. */
    replayed: 800,
    /** How often rules and followed authors are read anew without a nudge. */
    refreshMs: 30_000,
    /** How often it is asked whether an access token still holds. */
    recheckMs: 1_000,
    backfillMinutes: 5,
    /** Streams of a process that look through the past at a time; how long others wait. */
    backfills: { atOnce: 2, waitMs: 10_000 },
    rulesEach: 1_000,
    rulesAtOnce: 100,
    /** Longest tag of a rule, in characters. */
    tagLength: 1_024,
  },
  accessTokenMs: 2 * 3_600_000,
  refreshTokenMs: 30 * 86_400_000,
  /** The access token by which an app asks for itself; it can be had again. */
  appTokenMs: 365 * 86_400_000,
  authorizationCodeMs: 60_000,
  appsPerUser: 20,
  redirectUrisPerApp: 20,
  /** Characters of a User-Agent header that a session keeps. */
  userAgent: 200,
  /** How long a refresh token may be used once more whose answer did not reach the client. */
  lostAnswerMs: 60_000,
  idempotencyMs: 24 * 3_600_000,
  /** A home list keeps this many entries and is cut back to it once `slack` more have been pushed. */
  homeList: { keep: 800, slack: 64 },
  /** How long the filler of a cache entry may take before its lease dies. */
  leaseMs: 5_000,
  /** Timelines that a process reads from Postgres at a time, a connection to each shard for each; how long others wait. */
  coldReads: { atOnce: 8, waitMs: 10_000 },
  pushesPerScript: 250,
  /** What the fan-out policy by cost decides with (services/timeline/fanout-policy.ts). */
  fanout: {
    /** Followers to whom a tweet can be offered within 5 s, at the 50,000/s that are left to one author of many. */
    offersInTime: 250_000,
    /** An author turns back only below this part of what they turned at. */
    hysteresis: 0.8,
    /** s after which what was seen counts for 1/e. */
    memoryS: 86_400,
    /** µs of CPU, of all servers, as `npm run bench -- policy` measures them. */
    costs: {
      /** A tweet that is pushed, however few the followers: to ask for them. */
      tweet: 100,
      /** A follower to whom a tweet is offered. */
      offer: 3.5,
      /** A follower whose stored list takes it, besides. */
      push: 2,
      /** A list more that a home read takes in. */
      list: 35,
      /** The first such list, besides. */
      trip: 90,
      /** An author who is pulled for a while: 256 sets are changed, kept, and in the end filled anew. */
      move: 1_000_000,
      /** To measure an author. */
      measure: 2_000,
    },
  },
} as const;

export type RateClass = keyof typeof limits.rates;
