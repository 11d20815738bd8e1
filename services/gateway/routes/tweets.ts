import { limits } from "../../../config/limits.ts";
import { READ_SCOPES } from "../../contracts/scopes.ts";
import { REPLY_SETTINGS } from "../../contracts/tweets.ts";
import { type Endpoint, forReader, forViewer } from "../endpoint.ts";
import {
  described,
  field,
  id,
  idempotencyKey,
  ids,
  idsInBody,
  optional,
  part,
  shape,
  text,
  unsupported,
} from "../fields.ts";
import { tweetAnswer, tweetsAnswer } from "../present/answers.ts";
import { done, TWEET, TWEET_ANSWER, TWEETS_ANSWER } from "../present/objects.ts";
import { presentTweet } from "../present/tweet-fields.ts";
import { extrasOf, TWEET_VIEW } from "../present/tweets.ts";
import { boolean, object } from "../schema.ts";

const WRITE_SCOPES = [...READ_SCOPES, "tweet.write"] as const;
const ONE = shape({ id });

const REPLY = shape({
  in_reply_to_tweet_id: id,
  auto_populate_reply_metadata: optional(
    described(field<boolean>({ type: "boolean" }), "Changes nothing: a reply mentions whom its text names."),
  ),
  exclude_reply_user_ids: optional(
    described(idsInBody(limits.lookup), "Changes nothing: a reply mentions nobody but whom its text names."),
  ),
});

const NEW_TWEET = shape({
  text: described(text, "1 to 280 weighted characters by the rules of twitter-text."),
  reply: optional(part(REPLY)),
  quote_tweet_id: optional(id),
  reply_settings: optional(
    described(
      field<(typeof REPLY_SETTINGS)[number]>({ type: "enum", values: [...REPLY_SETTINGS] }),
      "Who may reply, beside you and whom the tweet mentions; everyone where it is absent. Nobody is a subscriber or verified.",
    ),
  ),
  card_uri: unsupported("there are no cards"),
  community_id: unsupported("there are no communities"),
  direct_message_deep_link: unsupported("there are no direct messages"),
  edit_options: unsupported("tweets are not edited"),
  for_super_followers_only: unsupported("there are no super followers", false),
  geo: unsupported("there are no places"),
  media: unsupported("there are no media"),
  nullcast: unsupported("every tweet is shown to followers", false),
  poll: unsupported("there are no polls"),
  share_with_followers: unsupported("there are no communities", false),
});

/** Tweets: write, delete, by id. */
export const tweetRoutes: Endpoint[] = [
  forViewer(
    {
      method: "POST",
      path: "2/tweets",
      tag: "Tweets",
      summary: "Write a tweet, a reply or a quote",
      rate: "compose",
      scopes: WRITE_SCOPES,
      status: 201,
      body: NEW_TWEET,
      headers: { shape: shape({ "idempotency-key": idempotencyKey }), names: ["idempotency-key"] },
      answer: done(TWEET),
    },
    async ({ ctx, body, headers }) => {
      const tweet = await ctx.call("tweet.create", {
        text: body.text,
        in_reply_to_tweet_id: body.reply?.in_reply_to_tweet_id,
        quote_tweet_id: body.quote_tweet_id,
        reply_settings: body.reply_settings,
        idempotency_key: headers["idempotency-key"],
      });
      return { data: presentTweet(tweet, { keys: [] }) };
    },
  ),
  forViewer(
    {
      method: "DELETE",
      path: "2/tweets/:id",
      tag: "Tweets",
      summary: "Delete a tweet of your own",
      rate: "write",
      scopes: WRITE_SCOPES,
      params: ONE,
      answer: done(object({ deleted: boolean() })),
    },
    async ({ ctx, params }) => ({ data: await ctx.call("tweet.delete", { id: params.id }) }),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/:id",
      tag: "Tweets",
      summary: "A tweet by id",
      rate: "read",
      scopes: READ_SCOPES,
      params: ONE,
      query: shape(TWEET_VIEW),
      answer: TWEET_ANSWER,
    },
    async ({ ctx, params, query }) =>
      tweetAnswer(await ctx.call("tweet.get", { ids: [params.id], ...extrasOf(query) }), params.id, query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets",
      tag: "Tweets",
      summary: "Tweets by id",
      rate: "read",
      scopes: READ_SCOPES,
      query: shape({ ids, ...TWEET_VIEW }),
      answer: TWEETS_ANSWER,
    },
    async ({ ctx, query }) =>
      tweetsAnswer(await ctx.call("tweet.get", { ids: query.ids, ...extrasOf(query) }), query.ids, query),
  ),
];
