import { limits } from "../../../config/limits.ts";
import type { Resources } from "../../../mixins/resources.ts";
import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import type { ParamsOf, ResultOf } from "../../contracts/actions.ts";
import { invalidField, RoostError } from "../../contracts/errors.ts";
import type { RegisteredApp } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import type { Sessions } from "../sessions/index.ts";
import { bucketOfClient, hashSecret, makeClientId, makeSecret } from "../sessions/tokens.ts";
import type { AppRepo, AppRow } from "./app.repo.ts";
import { redirectFault } from "./redirects.ts";

interface AppsParts {
  db: Resources["db"];
  apps: AppRepo;
  sessions: Sessions;
  /** Tells the drains of jobs. */
  nudge: (jobs: Id[]) => void;
}

/** The apps that developers register. */
export class Apps {
  readonly #parts: AppsParts;

  constructor(parts: AppsParts) {
    this.#parts = parts;
  }

  /** Throws 400 for an address that people must not be sent to, 409 where the owner has too many apps. */
  async register(
    owner: Id,
    { name, redirect_uris, type }: ParamsOf<"user.registerApp">,
  ): Promise<ResultOf<"user.registerApp">> {
    for (const uri of redirect_uris) {
      const fault = redirectFault(uri);
      if (fault) throw invalidField("redirect_uris", uri, fault);
    }
    const secret = type === "confidential" ? makeSecret() : undefined;
    const wish = {
      client_id: makeClientId(bucketOf(owner)),
      owner_id: owner,
      name,
      redirect_uris: [...new Set(redirect_uris)],
      secret_hash: secret ? hashSecret(secret) : null,
    };
    const row = await this.#parts.apps.insert(wish, limits.appsPerUser);
    if (!row) throw new RoostError("CONFLICT", `You may have at most ${limits.appsPerUser} apps.`);
    return { ...registeredApp(row), ...(secret ? { client_secret: secret } : {}) };
  }

  async list(owner: Id): Promise<RegisteredApp[]> {
    return (await this.#parts.apps.byOwner(owner)).map(registeredApp);
  }

  /** Throws 404 where the owner has no such app with a secret. */
  async rotateSecret(owner: Id, clientId: string): Promise<ResultOf<"user.rotateAppSecret">> {
    const app = await this.#parts.apps.byClientId(clientId);
    if (app?.owner_id !== owner || !app.secret_hash) throw unknownApp(clientId);
    const secret = makeSecret();
    await renewOwnToken(this.#parts, clientId, hashSecret(secret));
    return { ...registeredApp(app), client_secret: secret };
  }

  /** Nobody gets a token by it any more; those that there are end right after. Throws 404 where the owner has no such app. */
  async delete(owner: Id, clientId: string): Promise<{ deleted: boolean }> {
    const job = await this.#parts.apps.delete(owner, clientId);
    if (!job) throw unknownApp(clientId);
    this.#parts.nudge([job]);
    return { deleted: true };
  }
}

/** Ends the token by which an app asks for itself, so that its next one is another; may give it a new secret. */
export async function renewOwnToken(
  { apps, sessions }: Pick<AppsParts, "apps" | "sessions">,
  clientId: string,
  secretHash?: Buffer,
): Promise<void> {
  await sessions.revoking(bucketOfClient(clientId) ?? 0, async (tx, hide) => {
    await apps.replaceSecret(tx, clientId, secretHash);
    await sessions.endOwnIn(tx, hide, clientId);
  });
}

/** An app as its developer sees it. */
export function registeredApp({
  client_id,
  name,
  redirect_uris,
  secret_hash,
  created_at,
}: AppRow): RegisteredApp {
  return {
    client_id,
    name,
    type: secret_hash ? "confidential" : "public",
    redirect_uris,
    created_at: created_at.toISOString(),
  };
}

function unknownApp(clientId: string): RoostError {
  return new RoostError("NOT_FOUND", `Could not find an app of yours with client_id: [${clientId}].`);
}
