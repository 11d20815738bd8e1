/**
 * What a third-party app may be allowed to do for a user: the scopes of the X API, by its names, in the words of the
 * consent page. All of them can be granted; those that no endpoint asks for allow nothing.
 */
export const scopes = {
  "tweet.read": "See all tweets you can see",
  "tweet.write": "Tweet, reply, quote and retweet for you, and delete your tweets",
  "tweet.moderate.write": "Hide and show replies to your tweets",
  "users.read": "See your profile and every profile you can see",
  "follows.read": "See whom you follow and who follows you",
  "follows.write": "Follow and unfollow people for you",
  "offline.access": "Stay connected until you end its session",
  "space.read": "See all Spaces you can see",
  "mute.read": "See whom you have muted",
  "mute.write": "Mute and unmute people for you",
  "like.read": "See the tweets you like, and who likes the tweets you can see",
  "like.write": "Like and unlike tweets for you",
  "list.read": "See your lists and those you are a member of",
  "list.write": "Make and change lists for you",
  "block.read": "See whom you have blocked",
  "block.write": "Block and unblock people for you",
  "bookmark.read": "See your bookmarks",
  "bookmark.write": "Bookmark tweets for you and remove bookmarks",
  "dm.read": "Read your messages",
  "dm.write": "Send messages for you",
  "media.write": "Upload pictures and videos for you",
  "timeline.read": "See all custom timelines you can see",
} as const;

export type Scope = keyof typeof scopes;

/** What every endpoint asks for that reads. */
export const READ_SCOPES = ["tweet.read", "users.read"] as const satisfies Scope[];

export function isScope(name: string): name is Scope {
  return Object.hasOwn(scopes, name);
}

/** Those of `needed` that are not among `granted`; `granted` undefined stands for a first-party session: all. Pure. */
export function missingScopes(granted: readonly Scope[] | undefined, needed: readonly Scope[]): Scope[] {
  return granted ? needed.filter((scope) => !granted.includes(scope)) : [];
}
