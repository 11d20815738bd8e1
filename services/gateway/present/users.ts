import type { PublicUser } from "../../contracts/actions.ts";
import type { UserJson } from "./objects.ts";
import { ignored, selection } from "./selection.ts";

type Key = keyof UserJson;

/** The X API's names; those without a value here are accepted and absent. */
const USER_FIELDS = [
  "affiliation",
  "confirmed_email",
  "connection_status",
  "created_at",
  "description",
  "entities",
  "id",
  "is_identity_verified",
  "location",
  "most_recent_tweet_id",
  "name",
  "parody",
  "pinned_tweet_id",
  "profile_banner_url",
  "profile_image_url",
  "protected",
  "public_metrics",
  "receives_your_dm",
  "subscription",
  "subscription_type",
  "url",
  "username",
  "verified",
  "verified_followers_count",
  "verified_type",
  "withheld",
] as const;
const KEPT: Key[] = [
  "created_at",
  "description",
  "location",
  "url",
  "profile_image_url",
  "protected",
  "verified",
  "public_metrics",
];

/** Which fields of a user go out, beside `id`, `name` and `username`, which always do. */
export interface UserSelection {
  keys: readonly Key[];
  metrics: boolean;
}

export const userFields = selection<UserSelection>(USER_FIELDS, (names) => ({
  keys: KEPT.filter((key) => names.has(key)),
  metrics: names.has("public_metrics"),
}));

/** The expansions of a user object: nothing to expand there yet. */
export const userExpansions = ignored(["affiliation.user_id", "most_recent_tweet_id", "pinned_tweet_id"]);

/** A whole profile, for its owner. */
export const PROFILE: UserSelection = { keys: ["description", "location", "url"], metrics: false };

/** A user with the selected fields; those without a value are absent. */
export function presentUser(user: PublicUser, { keys }: UserSelection): UserJson {
  const { id, name, username } = user;
  return { id, name, username, ...pick(user, keys) };
}

/** The given fields of an object, where they have a value. */
export function pick<T extends object, K extends keyof T>(
  source: T,
  keys: readonly K[],
): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {};
  for (const key of keys) {
    const value = source[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
