import { invalid, shown } from './invalid.ts';

/** `--cpus`: a decimal number of CPUs with at most nine places, as CPUs times 1e9. */
export function parseCpus(text: string): number {
  const match = /^([0-9]{0,9})(?:\.([0-9]{0,30}))?$/.exec(text);
  if (match === null || !/[0-9]/.test(text)) throw invalid(`failed to parse ${shown(text)} as a rational number`);
  const fraction = (match[2] ?? '').replace(/0+$/, '');
  if (fraction.length > 9) throw invalid('value is too precise');
  return Number(match[1] ?? '') * 1e9 + Number(fraction.padEnd(9, '0'));
}
