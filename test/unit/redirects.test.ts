import {
  formTarget,
  isRegistered,
  redirectFault,
  withParameters,
} from "../../services/user/oauth/redirects.ts";

describe("an address that people are sent back to", () => {
  it.each([
    "https://client.example/cb",
    "https://client.example/cb?keep=1",
    "http://127.0.0.1/cb",
    "https://[2001:db8::1]:8443/cb",
    "https://xn--bcher-kva.example/cb",
    "http://127.0.0.1:3000/cb",
    "http://[::1]:3000/cb",
    "http://localhost:3000/cb",
    "myapp://done",
    "com.example.app:/done",
  ])("may be %s", (uri) => expect(redirectFault(uri)).toBeUndefined());

  it.each([
    "",
    "/cb",
    "client.example/cb",
    "http://client.example/cb",
    "http://127.0.0.1.client.example/cb",
    "http://localhost.client.example/cb",
    "https://client.example/#part",
    "https://user@client.example/",
    "https://client.example/ü",
    "https://client.example/\n",
    "https://client.example;script-src/cb",
    "https://client.example,x/cb",
    "https://client.example'/cb",
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "data:text/html,hi",
    "file:///etc/passwd",
    `https://client.example/${"x".repeat(2_000)}`,
  ])("may not be %j", (uri) => expect(redirectFault(uri)).toMatch(/^must /));
});

describe("whether an address is registered", () => {
  const known = [
    "https://client.example/cb",
    "http://127.0.0.1:3000/cb",
    "http://localhost:3000/cb",
    "myapp://done",
  ];

  it.each([...known, "http://127.0.0.1/cb", "http://127.0.0.1:54321/cb"])("%s is", (uri) =>
    expect(isRegistered(uri, known)).toBe(true),
  );

  it.each([
    "",
    "https://client.example/cb/",
    "https://client.example/cb?more",
    "https://client.example:8443/cb",
    "https://CLIENT.example/cb",
    "http://127.0.0.1:54321/other",
    "http://127.0.0.1:99999/cb",
    "http://127.0.0.1:54321.client.example/cb",
    "http://127.0.0.1:1@client.example/cb",
    "http://127.0.0.2/cb",
    "http://localhost:54321/cb",
    "https://127.0.0.1:3000/cb",
  ])("%j is not", (uri) => expect(isRegistered(uri, known)).toBe(false));
});

it("parameters are added to what an address has", () => {
  const added = { code: "a b&c", state: undefined };
  expect(withParameters("https://client.example/cb?keep=1", added)).toBe(
    "https://client.example/cb?keep=1&code=a+b%26c",
  );
  expect(withParameters("myapp://done", added)).toBe("myapp://done?code=a+b%26c");
});

it("a form may lead to the origin of an address, or to its scheme", () => {
  expect(formTarget("https://client.example/cb?x")).toBe("https://client.example");
  expect(formTarget("http://127.0.0.1:3000/cb")).toBe("http://127.0.0.1:3000");
  expect(formTarget("myapp://done")).toBe("myapp:");
});
