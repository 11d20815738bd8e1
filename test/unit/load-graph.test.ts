import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { GraphError, parseGraph, readGraph } from "../../bench/load/graph.ts";

describe("reading a graph", () => {
  it("takes an undirected edge for two follows", async () => {
    const graph = await parseGraph(["7 3", "3 9"], { directed: false });
    expect(graph.people).toEqual(["7", "3", "9"]);
    expect(graph.follows).toEqual([
      [0, 1],
      [1, 0],
      [1, 2],
      [2, 1],
    ]);
  });

  it("takes a directed edge for one follow, follower first", async () => {
    const graph = await parseGraph(["ann bob", "carl bob"], { directed: true });
    expect(graph.people).toEqual(["ann", "bob", "carl"]);
    expect(graph.follows).toEqual([
      [0, 1],
      [2, 1],
    ]);
  });

  it.each([
    [false, ["1 2", "2 1", "1 2", "3 3"], 2, 2],
    [true, ["1 2", "2 1", "1 2", "3 3"], 2, 1],
  ])(
    "drops and counts repeats and self-follows (directed: %s)",
    async (directed, lines, follows, duplicates) => {
      const graph = await parseGraph(lines, { directed });
      expect(graph.follows).toHaveLength(follows);
      expect(graph.dropped).toEqual({ duplicates, selfFollows: 1 });
      expect(graph.lines).toBe(4);
    },
  );

  it("ignores comments, empty lines, further columns and the kind of separator", async () => {
    const graph = await parseGraph(["# made by hand", "%", "", "  ", " 1\t2  0.5 ", "2,3"], {
      directed: true,
    });
    expect(graph.people).toEqual(["1", "2", "3"]);
    expect(graph.follows).toHaveLength(2);
  });

  it("names the line that is not an edge", async () => {
    const reading = parseGraph(["1 2", "3"], { directed: true });
    await expect(reading).rejects.toThrow(GraphError);
    await expect(reading).rejects.toThrow('line 2: expected two names, got "3"');
  });

  it("keeps the best-connected people and the edges among them", async () => {
    const lines = ["a hub", "b hub", "c hub", "a b", "c d", "hub a"];
    const graph = await parseGraph(lines, { directed: true, users: 3 });
    expect(graph.people).toEqual(["hub", "a", "b"]);
    expect(graph.follows).toEqual([
      [0, 1],
      [1, 0],
      [1, 2],
      [2, 0],
    ]);
  });

  describe("from a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "graph-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    const file = (name: string, content: string | Buffer) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };

    it("reads plain and gzipped lists alike", async () => {
      const text = "1 2\n2 3\r\n3 1";
      const plain = await readGraph(file("plain.edges", text), { directed: true });
      const zipped = await readGraph(file("zipped.edges.gz", gzipSync(text)), { directed: true });
      expect(plain.follows).toHaveLength(3);
      expect(zipped).toEqual(plain);
    });

    it.each([
      ["is missing", "missing.edges", undefined],
      ["is not gzip", "text.gz", "1 2\n"],
      ["was cut off", "cut.gz", gzipSync("1 2\n".repeat(1000)).subarray(0, 30)],
    ])("names a file that %s", async (_, name, content) => {
      const path = content === undefined ? join(folder, name) : file(name, content);
      const reading = readGraph(path, { directed: true });
      await expect(reading).rejects.toThrow(GraphError);
      await expect(reading).rejects.toThrow(name);
    });
  });
});
