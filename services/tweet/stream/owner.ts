import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import { type Meta, requireViewer } from "../../contracts/context.ts";
import { RoostError } from "../../contracts/errors.ts";
import { bucketOfClient } from "../../user/sessions/tokens.ts";

/** Whose rules are meant, and where they are. */
export interface RuleOwner {
  key: string;
  bucket: number;
}

/** Whose rules a request is about: the app's that asks for itself, else the user's. Throws 401 for a signed-out client. */
export function ownerOf({ meta }: { meta: Meta }): RuleOwner {
  if (meta.app) {
    const { clientId } = meta.app;
    const bucket = bucketOfClient(clientId);
    if (bucket === undefined) throw new RoostError("UNAUTHORIZED", "The access token is of an unknown app.");
    return { key: clientId, bucket };
  }
  const { userId } = requireViewer({ meta });
  return { key: `user:${userId}`, bucket: bucketOf(userId) };
}
