import { invalid, shown } from './invalid.ts';

/** 2^63: the exclusive end of int64; what lies behind it is refused before it loses digits. */
const int64End = 2 ** 63;

/**
 * A decimal integer of int64 (Go: strconv.ParseInt base 10). `what` starts the message: `invalid argument "x" for "--y"`.
 * Beyond 2^53 the last digits are rounded, which no limit here can tell.
 */
export function parseInteger(text: string, what: string): number {
  if (!/^[+-]?[0-9]{1,400}$/.test(text)) throw invalid(`${what}: parsing "${shown(text)}": invalid syntax`);
  const value = Number(text);
  if (value >= int64End || value < -int64End) throw invalid(`${what}: parsing "${shown(text)}": value out of range`);
  return value;
}
