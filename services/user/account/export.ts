import type { ShardDb } from "../../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../../contracts/actions.ts";
import type { Viewer } from "../../contracts/sessions.ts";
import type { AppRepo } from "../oauth/app.repo.ts";
import { registeredApp } from "../oauth/apps.ts";
import type { Sessions } from "../sessions/index.ts";
import { listSessions } from "../sessions/session-list.ts";
import type { UserReader } from "../user-reader.ts";
import { exportedFacts, exportedItems } from "./export.repo.ts";

/** Items to a page: some 100 KB at most. */
const PAGE = 500;

interface ExportParts {
  db: ShardDb;
  sessions: Sessions;
  apps: AppRepo;
  reader: UserReader;
}

/**
 * What is stored about a user, for them to take along: the short things at once, the long lists page by page. Left out is
 * what others have decided about them (who blocks or mutes them), and every secret.
 */
export class Export {
  readonly #parts: ExportParts;

  constructor(parts: ExportParts) {
    this.#parts = parts;
  }

  async account(viewer: Viewer): Promise<ResultOf<"user.exportAccount">> {
    const { db, sessions, apps, reader } = this.#parts;
    const { userId } = viewer;
    const [users, listed, owned, facts] = await Promise.all([
      reader.get([userId], { with_metrics: true }),
      listSessions(sessions, apps, viewer),
      apps.byOwner(userId),
      exportedFacts(db, userId),
    ]);
    return { account: users.get(userId), sessions: listed, apps: owned.map(registeredApp), ...facts };
  }

  async page({ userId }: Viewer, params: ParamsOf<"user.exportPage">): Promise<ResultOf<"user.exportPage">> {
    const { section, after = "0" } = params;
    const found = await exportedItems(this.#parts.db, userId, section, after, PAGE);
    const next = found.length === PAGE ? found.at(-1)?.at : undefined;
    return { items: found.flatMap(({ item }) => (item ? [item] : [])), ...(next ? { next } : {}) };
  }
}
