import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./roost.ts";

const PROGRAM = "/usr/bin/chromium";
/** Whether there is a browser to test with. */
export const hasChromium = existsSync(PROGRAM);

/** A page of a real browser, driven over its debugging protocol. */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  #sent = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
  }

  static async start(): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), "roost-chromium-"));
    const child = spawn(
      PROGRAM,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
      { stdio: "ignore" },
    );
    const portFile = join(profile, "DevToolsActivePort");
    await eventually(
      () => existsSync(portFile) && readFileSync(portFile, "utf8").includes("\n"),
      "a browser",
    );
    const [port] = readFileSync(portFile, "utf8").split("\n");
    const list = await fetch(`http://127.0.0.1:${port}/json/list`);
    const pages = (await list.json()) as { type: string; webSocketDebuggerUrl: string }[]; // the protocol's own
    const socket = new WebSocket(pages.find(({ type }) => type === "page")?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    return new Chromium(child, profile, socket);
  }

  async stop(): Promise<void> {
    this.#socket.close();
    const exit = once(this.#process, "exit");
    this.#process.kill();
    await exit;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  open(url: string): Promise<unknown> {
    return this.#send("Page.navigate", { url });
  }

  /** The value of an expression in the page; undefined while there is no page. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#send("Runtime.evaluate", { expression, returnByValue: true });
    return Object(Object(answer).result).value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    await eventually(async () => (await this.evaluate(expression)) === true, expression);
  }

  #send(method: string, params: object): Promise<unknown> {
    const id = ++this.#sent;
    return new Promise((resolve) => {
      const hear = ({ data }: MessageEvent) => {
        const { id: of, result } = JSON.parse(String(data));
        if (of !== id) return;
        this.#socket.removeEventListener("message", hear);
        resolve(result);
      };
      this.#socket.addEventListener("message", hear);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
