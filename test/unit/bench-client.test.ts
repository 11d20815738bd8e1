import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { runHttp } from "../../bench/client/http.ts";
import { drive } from "../../bench/client/jobs.ts";

const wire = (path: string) => `GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`;

/** Runs `work` against a server on a free port. */
async function serving<T>(listener: RequestListener, work: (port: number) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  try {
    return await work(typeof address === "object" ? (address?.port ?? 0) : 0);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("driving a job", () => {
  it("adds up what all lanes do", async () => {
    let sum = 0;
    const { done } = await drive(5, 0.05, async (lane) => {
      await new Promise(setImmediate);
      sum += lane;
      return lane;
    });
    expect(done).toBe(sum);
  });

  it("does every lane once at least", async () => {
    expect((await drive(3, 0, async () => 1)).done).toBe(3);
  });

  it("ends with the first failure", async () => {
    await expect(drive(2, 10, () => Promise.reject(new Error("no more")))).rejects.toThrow("no more");
  });
});

describe("sending HTTP", () => {
  it("counts answers as the server does, however they are cut into packets", async () => {
    const seen = new Set<string | undefined>();
    let answered = 0;
    const { done } = await serving(
      (request, response) => {
        seen.add(request.url);
        answered++;
        response.writeHead(200, { "content-length": 20_000 });
        response.write("x".repeat(10));
        setImmediate(() => response.end("x".repeat(19_990)));
      },
      (port) =>
        runHttp({ kind: "http", port, connections: 3, seconds: 0.1, requests: [wire("/a"), wire("/b")] }),
    );
    expect(done).toBe(answered);
    expect(seen).toEqual(new Set(["/a", "/b"]));
  });

  it.each<[string, RequestListener, string]>([
    ["is not 2xx", (_, response) => response.writeHead(503, { "content-length": 2 }).end("no"), "503"],
    ["has no length", (_, response) => response.write("a"), "no Content-Length"],
    ["is none", (request) => request.socket.destroy(), ""],
  ])("fails where an answer %s", async (_, listener, message) => {
    const running = serving(listener, (port) =>
      runHttp({ kind: "http", port, connections: 1, seconds: 0.1, requests: [wire("/")] }),
    );
    await expect(running).rejects.toThrow(message);
  });
});
