/** Set by the global set-up for the global tear-down, which runs in the same process. */
declare var stopTestServers: (() => Promise<void>) | undefined;
