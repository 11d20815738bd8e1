import { presentEntities } from "../../services/gateway/present/entities.ts";
import { extractEntities } from "../../services/tweet/entities.ts";

const shown = (text: string) => {
  const [entity] = presentEntities(extractEntities(text)).urls ?? [];
  return [entity?.url, entity?.expanded_url];
};

describe("URLs", () => {
  it("that are URIs stay as they are written", () => {
    for (const url of ["https://example.org", "http://example.org/a?b=c%20d&e#f", "https://example.org/(x)"])
      expect(shown(url)).toEqual([url, url]);
  });

  it.each([
    ["without a scheme", "example.org/x", "http://example.org/x"],
    ["in other letters", "https://example.org/å", "https://example.org/%C3%A5"],
    ["of a host in other letters", "https://münchen.de/", "https://xn--mnchen-3ya.de/"],
    ["with a sign that has to be escaped", "https://example.org/a|b", "https://example.org/a%7Cb"],
  ])("become URIs: %s", (_, written, uri) => expect(shown(written)).toEqual([uri, uri]));
});
