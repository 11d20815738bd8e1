import type { Id, PublicUser, UserExtras } from "../../contracts/users.ts";
import { extractEntities } from "../../tweet/entities.ts";
import { presentEntities } from "./entities.ts";
import { USER_EXPANSION_NAMES, USER_FIELDS } from "./names.ts";
import type { UserJson } from "./objects.ts";
import { type Showing, selection, shownBy } from "./selection.ts";
import { type TweetSelection, tweetFields } from "./tweet-fields.ts";

/** What each field of a user shows. */
const SHOW: Showing<PublicUser, Omit<UserJson, "id" | "name" | "username">> = {
  created_at: (user) => user.created_at,
  description: (user) => user.description,
  entities: entitiesOf,
  location: (user) => user.location,
  most_recent_tweet_id: (user) => user.most_recent_tweet_id,
  pinned_tweet_id: (user) => user.pinned_tweet_id,
  profile_image_url: (user) => user.profile_image_url,
  protected: (user) => user.protected,
  public_metrics: (user) => user.public_metrics,
  url: (user) => user.url,
  verified: (user) => user.verified,
  verified_type: () => "none",
};
const show = shownBy(SHOW);

/** Which fields of a user go out, beside `id`, `name` and `username`, which always do. */
export interface UserSelection {
  keys: readonly (keyof typeof SHOW)[];
}

export const userFields = selection<UserSelection>(USER_FIELDS, (names) => ({ keys: show.keysAmong(names) }));

/** The tweets that users name, and that may come along with them. */
export type UserExpansion = "most_recent_tweet_id" | "pinned_tweet_id";
const EXPANSIONS: UserExpansion[] = ["most_recent_tweet_id", "pinned_tweet_id"];
export const userExpansions = selection<UserExpansion[]>(USER_EXPANSION_NAMES, (names) =>
  EXPANSIONS.filter((name) => names.has(name)),
);

/** What the query of every request that answers users asks to see. */
export interface UserView {
  "user.fields": UserSelection;
  "tweet.fields": TweetSelection;
  expansions: UserExpansion[];
}

/** The query parameters of a UserView. */
export const USER_VIEW = {
  "user.fields": userFields,
  "tweet.fields": tweetFields,
  expansions: userExpansions,
};

/** What has to be asked for beside profiles. */
export function userExtrasOf(selected: UserSelection, expansions: readonly UserExpansion[] = []): UserExtras {
  return {
    with_metrics: selected.keys.includes("public_metrics"),
    with_latest:
      selected.keys.includes("most_recent_tweet_id") || expansions.includes("most_recent_tweet_id"),
  };
}

/** A whole profile, for its owner. */
export const PROFILE: UserSelection = { keys: ["description", "location", "pinned_tweet_id", "url"] };

/** A user with the selected fields, and with what is expanded; those without a value are absent. */
export function presentUser(
  user: PublicUser,
  selected: UserSelection,
  expansions: readonly UserExpansion[] = [],
): UserJson {
  const { id, name, username } = user;
  const json: UserJson = { id, name, username };
  show.into(json, user, selected.keys);
  show.into(json, user, expansions);
  return json;
}

/** The tweets that some users name in the ways that are expanded, and how; each once. */
export function tweetsNamedBy(
  users: readonly PublicUser[],
  expansions: readonly UserExpansion[],
): Map<Id, UserExpansion> {
  const named = new Map<Id, UserExpansion>();
  for (const user of users)
    for (const expansion of expansions) {
      const id = user[expansion];
      if (id && !named.has(id)) named.set(id, expansion);
    }
  return named;
}

/** What a profile's texts name; the URL of the profile is one that spans it all. */
function entitiesOf({ description, url }: PublicUser): UserJson["entities"] {
  const inDescription = description === undefined ? {} : presentEntities(extractEntities(description));
  const inUrl = url === undefined ? {} : presentEntities(extractEntities(url));
  const entities = {
    ...(Object.keys(inDescription).length > 0 ? { description: inDescription } : {}),
    ...(inUrl.urls ? { url: { urls: inUrl.urls } } : {}),
  };
  return Object.keys(entities).length > 0 ? entities : undefined;
}
