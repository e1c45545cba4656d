import { invalid, shown } from './invalid.ts';

/** Linux signal names in the order of their numbers, from 1 (signal(7), x86 and ARM). */
const names = 'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF '
  + 'WINCH IO PWR SYS';
const aliases: Record<string, number> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };
/** glibc's first free realtime signal, and the last. */
const realtimeMin = 34;
const realtimeMax = 64;

/** A signal's number from its number or name, with or without `SIG`, of any case; `RTMIN+n` and `RTMAX-n` too. */
export function parseSignal(text: string): number {
  const bad = invalid(`invalid signal: ${shown(text)}`);
  if (/^[0-9]{1,3}$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > realtimeMax) throw bad;
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const index = names.split(' ').indexOf(name);
  if (index >= 0) return index + 1;
  if (Object.hasOwn(aliases, name)) return aliases[name] ?? 0;
  const realtime = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (realtime === null) throw bad;
  const [, end, sign, distance = '0'] = realtime;
  if (sign !== undefined && sign !== (end === 'MIN' ? '+' : '-')) throw bad;
  const number = end === 'MIN' ? realtimeMin + Number(distance) : realtimeMax - Number(distance);
  if (number < realtimeMin || number > realtimeMax) throw bad;
  return number;
}
