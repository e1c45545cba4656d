import { invalid, shown } from './invalid.ts';

const powers = 'bkmgtp';

/**
 * A size as docker's `--memory` takes it (go-units RAMInBytes): a number, maybe with a fraction, and `b`, `k`, `kb`, `kib` …
 * up to `p`, of any case, all powers of 1024. Bytes, rounded down.
 */
export function parseBytes(text: string): number {
  const match = /^([0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100}) ?([a-zA-Z]*)$/.exec(text);
  if (match === null) throw invalid(`invalid size: '${shown(text)}'`);
  const [, number = '', letters = ''] = match;
  const suffix = letters.toLowerCase();
  if (!/^(?:b|[kmgtp](?:i?b)?)?$/.test(suffix)) throw invalid(`invalid suffix: '${shown(suffix)}'`);
  const bytes = Math.floor(Number(number) * 1024 ** Math.max(0, powers.indexOf(suffix.slice(0, 1))));
  if (bytes >= 2 ** 63) throw invalid(`invalid size: '${shown(text)}': value out of range`);
  return bytes;
}

/** Like `parseBytes`, and `-1` for "no limit" (--memory-swap). */
export function parseBytesOrUnlimited(text: string): number {
  return text === '-1' ? -1 : parseBytes(text);
}

/** The shortest exact form that `parseBytes` reads back: `64m`, `1536k`, `1000`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  while (value !== 0 && value % 1024 === 0 && power < powers.length - 1) {
    value /= 1024;
    power++;
  }
  return power === 0 ? String(bytes) : `${value}${powers[power] ?? ''}`;
}
