import { eld } from "eld/small";

/** No language, or none that can be told. */
export const UNDETERMINED = "und";
/** What says nothing about the language of the words around it. */
const NOT_WORDS = /https?:\/\/\S+|[@#$＠＃][\p{L}\p{M}\p{N}_]+/gu;
/** Scripts that one language has to itself: a character is enough. */
const OWN_SCRIPTS = Object.entries({
  ja: /[\p{Script=Hiragana}\p{Script=Katakana}]/u,
  ko: /\p{Script=Hangul}/u,
  th: /\p{Script=Thai}/u,
});
/** Characters that are looked at: the beginning of a text is enough, and time grows with its length. */
const LOOKED_AT = 140;

/** The language of a tweet's text, as BCP 47; "und" where it has too few words to tell. Takes some 20 µs. Pure. */
export function languageOf(text: string): string {
  const words = text.replace(NOT_WORDS, " ").slice(0, LOOKED_AT);
  const guess = eld.detect(words);
  if (guess.isReliable()) return guess.language;
  return OWN_SCRIPTS.find(([, script]) => script.test(words))?.[0] ?? UNDETERMINED;
}
