import { invalid, shown } from './invalid.ts';

/** Largest number of a CPU or memory node that is read (docker's limit). */
const maxIndex = 8192;

/** A list of CPUs or memory nodes, `0-3,7` (cpuset(7), "List format"): sorted, without doubles. */
export function parseCpuset(text: string): number[] {
  const found = new Set<number>();
  if (text === '') return [];
  if (text.length > 64 * 1024) throw invalid('invalid format: cpuset list is too long');
  for (const part of text.split(',')) {
    const match = /^ *([0-9]{1,9})(?:-([0-9]{1,9}))? *$/.exec(part);
    if (match === null) throw invalid(`invalid format: ${shown(text)}`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first) throw invalid(`invalid format: ${shown(text)}`);
    if (last > maxIndex) throw invalid(`value of out range, maximum is ${maxIndex}: ${shown(text)}`);
    for (let index = first; index <= last; index++) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}
