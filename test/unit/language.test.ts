import { languageOf } from "../../services/tweet/language.ts";

describe("the language of a text", () => {
  it.each([
    ["en", "just setting up my twttr"],
    ["de", "Ich gehe jetzt nach Hause"],
    ["es", "¿Dónde está la biblioteca?"],
    ["fr", "c'est la vie, mon ami"],
    ["ja", "これは日本語です"],
    ["ja", "ねこ"],
    ["ko", "안녕하세요 여러분"],
    ["zh", "今天天气很好"],
    ["ar", "مرحبا بالعالم"],
    ["ru", "Сегодня хорошая погода"],
    ["th", "สวัสดีชาวโลก"],
    ["el", "Γειά σου Κόσμε"],
  ])("is %s for %s", (language, text) => {
    expect(languageOf(text)).toBe(language);
  });

  it.each([
    "",
    "lol",
    "☕☕☕",
    "https://example.com/the/quick/brown/fox",
    "@someone #something $ABC",
    "12345 67890",
  ])("is not known for %j", (text) => {
    expect(languageOf(text)).toBe("und");
  });
});
