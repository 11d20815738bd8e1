import { detectAll } from "tinyld";
import { UNDETERMINED } from "./languages.ts";

/** What says nothing about the language of the words around it. */
const NOT_WORDS = /https?:\/\/\S+|[@#$＠＃][\p{L}\p{M}\p{N}_]+/gu;
/** Of a script that is written without spaces, or that one language has to itself, a word is enough. */
const TELLING = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;
/** Fewer letters of other scripts are guessed wrongly more often than not. */
const FEWEST_LETTERS = 6;
/** Of tinyld's own scale, 0 to 1: below it guesses are mostly wrong. */
const LEAST_ACCURACY = 0.1;

/** The beginning of a text is enough, and time grows with its length. */
const LOOKED_AT = 80;

/** The language of a tweet's text, as BCP 47; "und" where it has too few words to tell. Pure. */
export function languageOf(text: string): string {
  const words = text.replace(NOT_WORDS, " ").slice(0, LOOKED_AT);
  const letters = words.match(/\p{L}/gu)?.length ?? 0;
  if (letters < FEWEST_LETTERS && !TELLING.test(words)) return UNDETERMINED;
  const [best] = detectAll(words);
  return best && best.accuracy >= LEAST_ACCURACY ? best.lang : UNDETERMINED;
}
