import { EngineError } from '../base/index.ts';

/** All capabilities, by number (linux/capability.h). */
const allNames = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT',
  'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE',
  'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ',
  'PERFMON', 'BPF', 'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** What an ordinary container's process has (guide 1.3.4.2 and 1.3.9.2.2). */
const defaultNames = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETFCAP',
  'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
];

const known = new Set(allNames);

/** The names of a capability set given as a bit mask (bit n: capability n). */
export function capabilitiesOfMask(mask: bigint): Set<string> {
  return new Set(allNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}

/** `chown`, `CHOWN`, `CAP_CHOWN` -> `CAP_CHOWN`; `all` -> `ALL`. @throws invalidArgument for an unknown name. */
function canonicalCapability(text: string, option: 'CapAdd' | 'CapDrop'): string {
  const upper = text.trim().toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!known.has(name)) throw new EngineError('invalidArgument', `invalid ${option}: unknown capability: "${text.slice(0, 64)}"`);
  return name;
}

/**
 * The capabilities of a container: the default set, then --cap-add and --cap-drop with the meaning that docker gives
 * `ALL`: added, all but the dropped; dropped, only the added. Privileged: all. In the order of their numbers.
 */
export function containerCapabilities(options: { add: readonly string[]; drop: readonly string[]; privileged: boolean }): string[] {
  const add = new Set(options.add.map((name) => canonicalCapability(name, 'CapAdd')));
  const drop = new Set(options.drop.map((name) => canonicalCapability(name, 'CapDrop')));
  if (options.privileged) return [...allNames];
  const base = add.has('ALL') ? allNames : drop.has('ALL') ? [] : defaultNames;
  const wanted = new Set(base);
  for (const name of drop) wanted.delete(name);
  if (!add.has('ALL')) for (const name of add) wanted.add(name);
  return allNames.filter((name) => wanted.has(name));
}
