import { Cluster, type ClusterNode, type ClusterOptions, type Redis } from "ioredis";

/** How many redirections a command follows; more than a map that is being corrected takes. */
const REDIRECTIONS = 4;

/**
 * ioredis's client of a Redis Cluster, that sends a command again only where the node that was asked did not run it and
 * names the one that does (MOVED, ASK); anything else is the caller's to decide. By itself ioredis goes on for 1.6 s, at a
 * node picked at random, after TRYAGAIN, CLUSTERDOWN and a lost connection: a change would take effect when it has long
 * been given up, and may have been made again or overtaken. (And at MOVED it takes a whole range of slots for moved.)
 * A command for a node that is being connected to waits for that, and fails with it.
 */
export class SlotClient extends Cluster {
  constructor(nodes: ClusterNode[], options: Omit<ClusterOptions, "enableOfflineQueue">) {
    // This is what makes a command wait for its node.
    super(nodes, { ...options, enableOfflineQueue: true });
    this.on("+node", (node: Redis) => {
      const asking = node.asking.bind(node);
      // Nobody waits for this answer: where the connection is lost, its rejection would end the process.
      node.asking = () => asking().catch(() => "OK" as const);
    });
  }

  override sendCommand(...[command, stream, node]: Parameters<Cluster["sendCommand"]>): unknown {
    // It would wait for a cluster to be found, however long that takes.
    if (this.status !== "ready" && command.name !== "cluster")
      command.reject(new Error("no cluster is known"));
    else super.sendCommand(command, stream, node);
    return command.promise;
  }

  /** One that was under way when the client was closed has ioredis ask again every so often, and the process go on for ever. */
  override refreshSlotsCache(...[done]: Parameters<Cluster["refreshSlotsCache"]>): void {
    if (this.status !== "end") super.refreshSlotsCache(done);
  }

  /** What ioredis does about an error: it calls one of the handlers. `ttl` is the command's own. */
  override handleError(
    error: Error,
    ttl: { value?: number },
    handlers: { ask(slot: string, node: string): void; defaults(): void },
  ): void {
    const [kind, slot, node] = error.message.split(" ");
    const redirected = slot !== undefined && node !== undefined && (kind === "ASK" || kind === "MOVED");
    ttl.value = (ttl.value ?? 0) + 1;
    if (!redirected || ttl.value > REDIRECTIONS || this.status !== "ready") {
      handlers.defaults();
      return;
    }
    handlers.ask(slot, node);
    if (kind === "MOVED") this.refreshSlotsCache();
  }
}
