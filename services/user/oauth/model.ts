import { timingSafeEqual } from "node:crypto";
import OAuth2Server from "@node-oauth/oauth2-server";
import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../../mixins/shard-db/index.ts";
import { RoostError } from "../../contracts/errors.ts";
import type { Viewer } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import type { Sessions } from "../sessions/index.ts";
import {
  appToken,
  bucketOfClient,
  hashSecret,
  makeToken,
  parseToken,
  type TokenRef,
} from "../sessions/tokens.ts";
import type { AppRepo, AppRow } from "./app.repo.ts";
import type { CodeRepo } from "./code.repo.ts";
import { isRegistered } from "./redirects.ts";

/** What a grant is about, as the library hands it from one step to the next in its "user". */
type Grantee =
  | { by: "code"; id: Id; code: TokenRef; sessionId: string }
  | { by: "refresh"; id: Id; token: string; sessionId: string; seen: { current: boolean } }
  | { by: "app" };

/** What a token request gave, beside what the library asks for. */
export interface Issued {
  access_token: string;
  expires_in: number;
  refresh_token?: string;
}

export interface OAuthParts {
  db: ShardDb;
  apps: AppRepo;
  codes: CodeRepo;
  sessions: Sessions;
}

const { InvalidGrantError } = OAuth2Server;

/** Storage for the OAuth library: apps, codes and sessions. Whatever has to happen together happens in one transaction. */
export class OAuthModel implements OAuth2Server.AuthorizationCodeModel, OAuth2Server.RefreshTokenModel {
  readonly #parts: OAuthParts;

  constructor(parts: OAuthParts) {
    this.#parts = parts;
  }

  /** An app that has shown its secret, where it has one. `secret` null: the person decides, and no secret is asked for. */
  async getClient(clientId: string, secret: string | null | undefined): Promise<OAuth2Server.Client | null> {
    const app = await this.#parts.apps.byClientId(clientId);
    if (!app || (secret !== null && !provesItself(app, secret))) return null;
    const grants = [
      "authorization_code",
      "refresh_token",
      ...(app.secret_hash ? ["client_credentials"] : []),
    ];
    return { id: app.client_id, redirectUris: app.redirect_uris, grants, secret, seed: app.bearer_seed };
  }

  async validateRedirectUri(uri: string, { redirectUris = [] }: OAuth2Server.Client): Promise<boolean> {
    return isRegistered(uri, [redirectUris].flat());
  }

  async validateScope(_user: unknown, _client: unknown, scope: string[] = []): Promise<string[]> {
    return scope;
  }

  async generateAuthorizationCode(_client: unknown, user: OAuth2Server.User): Promise<string> {
    return makeToken("code", bucketOf(user.userId));
  }

  async saveAuthorizationCode(
    code: OAuth2Server.AuthorizationCode,
    client: OAuth2Server.Client,
    user: OAuth2Server.User,
  ): Promise<OAuth2Server.AuthorizationCode> {
    const { db, codes, sessions } = this.#parts;
    const { userId, sessionId } = user as Viewer; // made by OAuth.allow
    await db.transaction({ id: userId }, async (tx) => {
      const stands =
        (await codes.holdAccount(tx, userId)) && (await sessions.holdIn(tx, { userId, sessionId }));
      if (!stands) throw new RoostError("UNAUTHORIZED", "Your session has ended: sign in again.");
      await codes.insert(tx, refOf(code.authorizationCode), {
        client_id: client.id,
        user_id: userId,
        redirect_uri: code.redirectUri,
        scopes: code.scope ?? [],
        challenge: code.codeChallenge ?? "",
        challenge_method: code.codeChallengeMethod ?? "",
      });
    });
    return { ...code, client, user };
  }

  /** A code that has not been used; one that comes again takes back what it gave. */
  async getAuthorizationCode(code: string): Promise<OAuth2Server.AuthorizationCode | null> {
    const ref = parseToken("code", code);
    const row = ref && (await this.#parts.codes.find(ref));
    if (!ref || !row) return null;
    if (row.used) {
      await this.#takeBack(ref, row.session_id);
      return null;
    }
    const user: Grantee = { by: "code", id: row.user_id, code: ref, sessionId: row.session_id };
    return {
      authorizationCode: code,
      expiresAt: row.expires,
      redirectUri: row.redirect_uri,
      scope: row.scopes,
      client: { id: row.client_id, grants: [] },
      user,
      codeChallenge: row.challenge,
      codeChallengeMethod: row.challenge_method,
    };
  }

  async revokeAuthorizationCode({
    authorizationCode,
    user,
  }: OAuth2Server.AuthorizationCode): Promise<boolean> {
    const ref = refOf(authorizationCode);
    const first = await this.#parts.codes.use(ref);
    if (!first) await this.#takeBack(ref, user.sessionId);
    return first;
  }

  async getRefreshToken(token: string): Promise<OAuth2Server.RefreshToken | null> {
    const session = await this.#parts.sessions.behindRefresh(token);
    if (!session?.user_id) return null;
    const user: Grantee = { by: "refresh", id: session.user_id, token, sessionId: session.id, seen: session };
    const client = { id: session.client_id ?? "", grants: [] };
    return { refreshToken: token, scope: session.granted ?? [], client, user };
  }

  /** The exchange itself tells whether the token is still good, in the transaction that makes the new ones. */
  async revokeToken(): Promise<boolean> {
    return true;
  }

  async getUserFromClient(): Promise<OAuth2Server.User> {
    return { by: "app" } satisfies Grantee;
  }

  /** Never asked: access tokens are looked up by the gateway. */
  async getAccessToken(): Promise<null> {
    return null;
  }

  async saveToken(
    token: OAuth2Server.Token,
    client: OAuth2Server.Client,
    user: OAuth2Server.User,
  ): Promise<OAuth2Server.Token & { issued: Issued }> {
    const { scope = [] } = token;
    const issued = await this.#issue(user as Grantee, client, scope); // made by the methods above
    return { accessToken: issued.access_token, scope, client, user, issued };
  }

  async #issue(grantee: Grantee, client: OAuth2Server.Client, scopes: string[]): Promise<Issued> {
    if (grantee.by === "app") return this.#issueForApp(client);
    const { apps, sessions } = this.#parts;
    const issued = await (grantee.by === "code"
      ? this.#issueForCode(grantee, client.id, scopes)
      : sessions.refresh(grantee.token, grantee.seen, scopes).then((renewed) => renewed?.issued));
    if (!issued) throw new InvalidGrantError("Invalid grant: refresh token is invalid");
    // The app is on another shard. Whoever deletes it ends the sessions that there are then; this one may be later.
    if (!(await apps.byClientId(client.id))) {
      await sessions.end({ userId: grantee.id, sessionId: grantee.sessionId });
      throw new InvalidGrantError("Invalid grant: the app was deleted");
    }
    return issued;
  }

  async #issueForApp({ id, secret, seed }: OAuth2Server.Client): Promise<Issued> {
    const { db, apps, sessions } = this.#parts;
    const bucket = bucketOfClient(id) ?? 0;
    const access_token = appToken(bucket, secret, seed);
    const expires_in = await db.transaction({ bucket }, async (tx) => {
      if (!(await apps.lockSeed(tx, id, seed)))
        throw new InvalidGrantError("Invalid grant: the app has changed");
      return sessions.openForApp(tx, id, access_token);
    });
    return { access_token, expires_in };
  }

  async #issueForCode(
    { id, code, sessionId }: Extract<Grantee, { by: "code" }>,
    clientId: string,
    scopes: string[],
  ): Promise<Issued> {
    const { db, codes, sessions } = this.#parts;
    return db.transaction({ id }, async (tx) => {
      if (!(await codes.holdAccount(tx, id)))
        throw new InvalidGrantError("Invalid grant: account was deleted");
      if (!(await codes.lockUsed(tx, code))) throw new InvalidGrantError("Invalid grant: code came twice");
      const session = { id: sessionId, userId: id, clientId, scopes };
      return scopes.includes("offline.access") ? sessions.open(tx, session) : sessions.openOnce(tx, session);
    });
  }

  /** The code goes first: whoever exchanges it at this moment either has made the session by now, or finds no code. */
  async #takeBack(code: TokenRef, sessionId: string): Promise<void> {
    const { codes, sessions } = this.#parts;
    await sessions.revoking(code.bucket, async (tx, hide) => {
      await codes.delete(tx, code);
      await sessions.endIn(tx, hide, code.bucket, sessionId);
    });
  }
}

/** Whether an app has shown its secret; a public one has none to show. */
export function provesItself({ secret_hash }: AppRow, secret: string | undefined): boolean {
  if (!secret_hash) return !secret;
  return secret !== undefined && timingSafeEqual(secret_hash, hashSecret(secret));
}

function refOf(code: string): TokenRef {
  const ref = parseToken("code", code);
  if (!ref) throw new Error("a code that was just made is malformed");
  return ref;
}
