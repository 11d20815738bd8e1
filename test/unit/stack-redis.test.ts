import { waitUntil } from "../../stack/redis/client.ts";

describe("waiting for a Redis", () => {
  it("goes on where a connection breaks off before it has answered", async () => {
    const answers = [
      () => Promise.reject(new Error("Connection is closed.")),
      () => Promise.resolve(false),
      () => Promise.resolve(true),
    ];
    await waitUntil(
      "it does not answer",
      () => answers.shift()?.() ?? Promise.reject(new Error("asked again")),
    );
    expect(answers).toEqual([]);
  });
});
