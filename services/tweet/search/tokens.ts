/**
 * How search reads text, here and in Postgres (`search_normal` and `search_tokens` of migrations/0007_search.sql): the two
 * give the same tokens for any text. Character sets are spelled out instead of taken from Unicode properties, whose
 * versions differ between Node and Postgres.
 */

/** Diacritics, vowel points, joiners and variation selectors. Not marks that make another letter, as the voicing of kana. */
const DROPPED = charactersOf(
  `AD 300-36F 591-5BD 5BF 5C1 5C2 5C4 5C5 5C7 610-61A 640 64B-65F 670 6D6-6DC 6DF-6E4 6E7 6E8 6EA-6ED
   1AB0-1AFF 1DC0-1DFF 200B-200F 202A-202E 2060-206F 20D0-20FF FE00-FE0F FE20-FE2F FEFF E0020-E007F
   E0100-E01EF`,
);

/** What stands between words. */
const SEPARATORS = charactersOf(
  `1-2F 3A-40 5B-5E 60 7B-A9 AB AC AE-B1 B4 B6-B8 BB BF D7 F7 2C2-2C5 2D2-2DF 2E5-2EB 2ED 2EF-2FF 37E
   384 385 387 55A-55F 589 58A 5BE 5C0 5C3 5C6 5F3 5F4 606-60F 61B-61F 66A-66D 6D4 700-70D 964 965 970
   E3F E4F E5A E5B F04-F14 104A-104F 10FB 1360-1368 1680 16EB-16ED 17D4-17D6 17D8-17DB 1800-180A
   2000-200A 2010-2029 202F-205F 20A0-20CF 2E00-2E7F 3000-3004 3008-3020 3030 303D-303F 30A0 30FB FD3E
   FD3F FE10-FE1F FE30-FE6F FFF0-FFFF`,
);

/** A token each: scripts that put no spaces between words, and symbols, emoji among them. */
const SINGLES = charactersOf(
  `E00-EFF 1000-109F 1100-11FF 1780-17FF 2190-2BFF 2E80-2FFF 3005-3007 3021-302F 3031-303C 3040-309F
   30A1-30FA 30FC-31FF 3400-4DBF 4E00-9FFF A960-A97F AC00-D7FF F900-FAFF 1F000-1FBFF 20000-3FFFF`,
);

/** A regular expression for any of some characters, given as code points and ranges of them, in hexadecimal. */
function charactersOf(ranges: string): RegExp {
  const parts = ranges.split(/\s+/).map((range) => range.replace(/[0-9A-F]+/g, "\\u{$&}"));
  return new RegExp(`[${parts.join("")}]`, "gu");
}

/** Compatibility forms, diacritics and case folded. Pure. */
export function normal(raw: string): string {
  return raw.normalize("NFKD").replace(DROPPED, "").toLowerCase().replaceAll("ς", "σ").normalize("NFC");
}

/** The words of a text in their order: what stands between punctuation, a token for each ideograph, kana or emoji. Pure. */
export function tokens(raw: string): string[] {
  return normal(raw)
    .replace(SEPARATORS, " ")
    .replace(SINGLES, " $& ")
    .split(" ")
    .filter((token) => token !== "");
}

/** Code points of a lexeme: of what is longer, the beginning counts. Postgres takes 2,046 bytes. */
const LONGEST = 255;

/** What stands for a token or a term in a document and in a query. Pure. */
export function lexeme(text: string): string {
  return text.length <= LONGEST ? text : Array.from(text).slice(0, LONGEST).join("");
}
