import type { Scope } from "./scopes.ts";
import type { Id, PublicUser } from "./users.ts";

export interface Session {
  user: PublicUser;
  access_token: string;
  refresh_token: string;
  /** Seconds until the access token expires. */
  expires_in: number;
}

/** Who is asking: set in `ctx.meta.viewer` by the gateway alone. */
export interface Viewer {
  userId: Id;
  sessionId: string;
  /** The app that asks for the user; absent where the user signed in here. */
  clientId?: string;
  /** What the app was granted; absent in a first-party session, which has every scope. */
  scopes?: Scope[];
}

/** An app that asks for nobody but itself: set in `ctx.meta.app` by the gateway alone. */
export interface App {
  clientId: string;
}

/** What an access token stands for: a user's session, or (without a user) an app by itself. */
export interface TokenSession extends Omit<Viewer, "userId"> {
  userId?: Id;
}

/** What an app sends a person to the consent page with. */
export interface AuthorizationQuery {
  client_id?: string;
  redirect_uri?: string;
  response_type?: string;
  scope?: string;
  state?: string;
  code_challenge?: string;
  code_challenge_method?: string;
}

/** What the consent page asks; or an error, and where to take it. */
export type PendingAuthorization =
  | {
      /** Its name. */
      app: string;
      scopes: Scope[];
      /** Where the answer will lead, as a source of Content-Security-Policy. */
      target: string;
      redirect?: undefined;
    }
  | { redirect: string };

/** A request to an OAuth endpoint: its parameters, however they were encoded, and its Authorization header. */
export interface OAuthRequest {
  form: Record<string, string>;
  authorization?: string;
}

export interface OAuthAnswer {
  status: number;
  body: Record<string, unknown>;
  /** For the header WWW-Authenticate. */
  challenge?: string;
}

/** An app as its developer sees it. */
export interface RegisteredApp {
  client_id: string;
  name: string;
  type: "public" | "confidential";
  redirect_uris: string[];
  created_at: string;
}

/** One of a person's sessions: where they signed in, or what they let an app do. */
export interface ListedSession {
  id: string;
  created_at: string;
  refreshed_at?: string;
  expires_at: string;
  user_agent?: string;
  /** The app that has it. */
  app?: { client_id: string; name?: string };
  scopes?: Scope[];
  /** Whether it is the one that asks. */
  current: boolean;
}

/** The lists of an export of one's data. */
export const EXPORT_SECTIONS = [
  "tweets",
  "following",
  "followers",
  "blocking",
  "muting",
  "likes",
  "bookmarks",
  "mentions",
] as const;
export type ExportSection = (typeof EXPORT_SECTIONS)[number];
