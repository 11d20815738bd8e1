import { accountRoutes } from "./account-routes.ts";
import { appRoutes } from "./app-routes.ts";
import { edgeRoutes } from "./edge-routes.ts";
import type { Endpoint } from "./endpoint.ts";
import { engagementRoutes } from "./engagement-routes.ts";
import { exportRoute } from "./export-route.ts";
import { oauthRoutes } from "./oauth-routes.ts";
import { searchRoutes } from "./search-routes.ts";
import { streamRoutes } from "./stream-routes.ts";
import { timelineRoutes } from "./timeline-routes.ts";
import { tweetRoutes } from "./tweet-routes.ts";
import { userRoutes } from "./user-routes.ts";

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
