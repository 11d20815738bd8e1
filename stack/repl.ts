import type { REPLServer } from "node:repl";
import type { ServiceBroker } from "moleculer";

/**
 * Opens the Moleculer REPL. Ctrl-C, Ctrl-D and `exit` end it and call `onExit`, which ends the process: the REPL's own
 * handlers would exit before the servers have stopped.
 */
export function openRepl(broker: ServiceBroker, onExit: () => void): void {
  // The cast: typed as void, yet it returns what moleculer-repl returns, which is Node's own REPL server.
  const repl = broker.repl() as unknown as REPLServer;
  for (const event of ["exit", "SIGINT"]) {
    repl.removeAllListeners(event);
    repl.on(event, onExit);
  }
}
