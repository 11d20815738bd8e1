/** Stops what the global set-up brought up, and leaves alone what it was given. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.stopTestServers?.();
}
