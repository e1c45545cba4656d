import { cut, invalid, shown } from './invalid.ts';

const allowed = [
  'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced',
];

/** Which namespace a kernel parameter of the whitelist belongs to; undefined: not in it (guide 2.4.1; docker has the same). */
export function sysctlNamespace(key: string): 'ipc' | 'net' | undefined {
  if (!/^[a-zA-Z0-9_][a-zA-Z0-9_./:@-]*$/.test(key) || key.split(/[./]/).includes('')) return undefined;
  if (allowed.includes(key) || key.startsWith('fs.mqueue.')) return 'ipc';
  return key.startsWith('net.') ? 'net' : undefined;
}

/** `key=value` of `--sysctl`, the key in the whitelist. */
export function parseSysctl(text: string): [key: string, value: string] {
  const { before, after } = cut(text, '=');
  if (after === undefined || before === '') throw invalid(`sysctl '${shown(text)}' is not allowed`);
  if (sysctlNamespace(before) === undefined) throw invalid(`sysctl '${shown(text)}' is not allowed`);
  return [before, after];
}
