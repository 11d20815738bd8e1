import { gatewayPort } from "../../../services/gateway/gateway.service.ts";
import { type Answer, Client, send } from "../../support/client.ts";
import { Roost } from "../../support/roost.ts";
import { Contract, ourDocument } from "../../support/x-api.ts";

/** A walk through every endpoint: whoever takes a step asks for what succeeds and for what fails. */

export const UNKNOWN = "1000000000000000001";
const contract = new Contract(ourDocument);
/** The statuses that each operation has answered with. Every answer was held against the documents by `send`. */
const seen = new Map<string, Set<number>>();

let roost: Roost;
export let url: string;
export let ann: Client;
export let bob: Client;
export let cyd: Client;

export function noteSeen(method: string, path: string, status: number): void {
  const operation = `${method} ${contract.template(path)}`;
  seen.set(operation, (seen.get(operation) ?? new Set()).add(status));
}

export async function ask(
  who: Client | undefined,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const answer = await (who ? who.request(method, path, body) : send(url, method, path, { body }));
  noteSeen(method, path, answer.status);
  return answer;
}

/** Asks for what must succeed. */
export async function good(who: Client | undefined, method: string, path: string, body?: unknown) {
  const answer = await ask(who, method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return Object(answer.body);
}

/** Asks for what must fail with this status; the parameters that the answer names. */
export async function bad(
  who: Client | undefined,
  method: string,
  path: string,
  status: number,
  body?: unknown,
) {
  const answer = await ask(who, method, path, body);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.errors?.flatMap(({ parameters }) => Object.keys(parameters ?? {})) ?? [];
}

export const tweetBy = async (who: Client, body: object): Promise<string> =>
  (await good(who, "POST", "/2/tweets", body)).data.id;

/** Before the first step. */
export async function begin(): Promise<void> {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  [ann, bob, cyd] = await Promise.all([
    Client.signUp(url, "ann"),
    Client.signUp(url, "bob"),
    Client.signUp(url, "cyd"),
  ]);
}

export const end = (): Promise<void> => roost.stop();

/** The statuses that an operation has answered with. */
export const statusesOf = (operation: string): number[] => [...(seen.get(operation) ?? [])];

const ALL_TWEET =
  "tweet.fields=author_id,conversation_id,created_at,display_text_range,edit_controls,entities,in_reply_to_user_id," +
  "lang,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,source,attachments,geo,withheld";
const ALL_USER =
  "user.fields=created_at,description,entities,location,most_recent_tweet_id,pinned_tweet_id,profile_image_url," +
  "protected,public_metrics,url,verified,verified_type,withheld";
export const TWEETS =
  `${ALL_TWEET}&${ALL_USER}&media.fields=url&poll.fields=id&place.fields=name&expansions=author_id,` +
  "edit_history_tweet_ids,entities.mentions.username,in_reply_to_user_id,referenced_tweets.id,referenced_tweets.id.author_id";
export const USERS = `${ALL_TWEET}&${ALL_USER}&expansions=most_recent_tweet_id,pinned_tweet_id`;
