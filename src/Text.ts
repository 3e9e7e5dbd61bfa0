/** A text from outside as one line that people can be shown, wherever: terminal, page or history. Pure. */

/** Colours and other control sequences of a terminal. */
// eslint-disable-next-line no-control-regex -- these are the control characters that it looks for
const CONTROL = /\u001b\[[0-9;?]*[ -/]*[@-~]|\p{Cc}(?:\[[0-9;]*m)?/gu
/** Characters that are not seen, or turn the order of others around. */
const INVISIBLE = /[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

/** @param longest in characters; what is more is cut, and marked so */
export const oneLine = (text: string, longest: number): string => {
  // What is cut off need not be cleaned.
  const line = text
    .slice(0, longest * 4)
    .replace(CONTROL, " ")
    .replace(INVISIBLE, "")
    .replace(/\s+/g, " ")
    .trim()
  return line.length <= longest ? line : `${line.slice(0, longest)}…`
}
