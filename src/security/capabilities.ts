import { capabilityNames, normalizeCapability } from '../model/index.ts';

/** What an ordinary container's process has (guide 1.3.4.2 and 1.3.9.2.2). */
const defaultNames = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETFCAP',
  'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
];

/** The names of a capability set given as a bit mask (bit n: capability n). */
export function capabilitiesOfMask(mask: bigint): Set<string> {
  return new Set(capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}

/**
 * The capabilities of a container: the default set, then --cap-add and --cap-drop with the meaning that docker gives
 * `ALL`: added, all but the dropped; dropped, only the added. Privileged: all. In the order of their numbers.
 */
export function containerCapabilities(options: { add: readonly string[]; drop: readonly string[]; privileged: boolean }): string[] {
  const add = new Set(options.add.map(normalizeCapability));
  const drop = new Set(options.drop.map(normalizeCapability));
  if (options.privileged) return [...capabilityNames];
  const base = add.has('ALL') ? capabilityNames : drop.has('ALL') ? [] : defaultNames;
  const wanted = new Set(base);
  for (const name of drop) wanted.delete(name);
  if (!add.has('ALL')) for (const name of add) wanted.add(name);
  return capabilityNames.filter((name) => wanted.has(name));
}
