import type { ListedSession, Viewer } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import type { AppRepo } from "../oauth/app.repo.ts";
import type { Sessions } from "./index.ts";
import type { ListedSession as Row } from "./session.repo.ts";
import { tokenSession } from "./session.repo.ts";

/** A user's living sessions as they see them, newest first. */
export async function listSessions(
  sessions: Sessions,
  apps: AppRepo,
  { userId, sessionId }: { userId: Id; sessionId?: Viewer["sessionId"] },
): Promise<ListedSession[]> {
  const rows = await sessions.list(userId);
  const names = await apps.names(rows.flatMap(({ client_id }) => client_id ?? []));
  return rows.map((row) => listedSession(row, names, row.id === sessionId));
}

function listedSession(row: Row, names: ReadonlyMap<string, string>, current: boolean): ListedSession {
  const { id, created_at, refreshed_at, expires, user_agent } = row;
  const { clientId, scopes } = tokenSession(row);
  const name = clientId && names.get(clientId);
  return {
    id,
    created_at: created_at.toISOString(),
    ...(refreshed_at ? { refreshed_at: refreshed_at.toISOString() } : {}),
    expires_at: expires.toISOString(),
    ...(user_agent ? { user_agent } : {}),
    ...(clientId ? { app: { client_id: clientId, ...(name ? { name } : {}) } } : {}),
    ...(scopes ? { scopes } : {}),
    current,
  };
}
