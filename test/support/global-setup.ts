import { provideServers } from "./providers.ts";

/** Brings up, once for all integration and e2e tests, the servers that the environment does not name. */
export default async function globalSetup(): Promise<void> {
  const { servers, stop } = await provideServers(process.env);
  // Test workers inherit this environment.
  Object.assign(process.env, servers);
  globalThis.stopTestServers = stop;
}
