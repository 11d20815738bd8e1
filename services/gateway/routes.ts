import type { Endpoint } from "./endpoint.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { appRoutes } from "./routes/apps.ts";
import { edgeRoutes } from "./routes/edges.ts";
import { engagementRoutes } from "./routes/engagements.ts";
import { exportRoute } from "./routes/export.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { searchRoutes } from "./routes/search.ts";
import { streamRoutes } from "./routes/streams.ts";
import { timelineRoutes } from "./routes/timelines.ts";
import { tweetRoutes } from "./routes/tweets.ts";
import { userRoutes } from "./routes/users.ts";

/** Every endpoint under /auth and /2. */
export const endpoints: Endpoint[] = [
  ...accountRoutes,
  exportRoute,
  ...appRoutes,
  ...oauthRoutes,
  ...userRoutes,
  ...edgeRoutes,
  ...engagementRoutes,
  ...tweetRoutes,
  ...timelineRoutes,
  ...searchRoutes,
  ...streamRoutes,
];
