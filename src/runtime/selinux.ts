import { EngineError } from '../base/index.ts';
import type { SecurityOptions } from '../model/index.ts';
import type { HostFacts } from './types.ts';

/** What a container is labelled with under SELinux. */
export interface SelinuxLabels {
  process: string;
  /** Of files that are the container's own. */
  mount: string;
  /** Of files that containers share. */
  shared: string;
}

/**
 * SELinux labels (guide 1.3.9.3): container_t, and a level of two categories that the container's id decides, so that
 * containers cannot touch each other's files; undefined: without SELinux, or with label=disable.
 * @throws unsupported where labels are asked for and the host has none
 */
export function selinuxLabels(id: string, security: SecurityOptions, facts: Pick<HostFacts, 'selinuxEnabled'>): SelinuxLabels | undefined {
  const wish = security.selinux;
  if (!facts.selinuxEnabled) {
    if (wish === undefined || wish.disable) return undefined;
    throw new EngineError('unsupported', 'Cannot use --security-opt label=…: SELinux is not enabled on this host');
  }
  if (wish?.disable) return undefined;
  const [first, second] = [parseInt(id.slice(0, 4), 16) % 512, 512 + (parseInt(id.slice(4, 8), 16) % 512)];
  const level = wish?.level ?? `s0:c${first},c${second}`;
  const user = wish?.user ?? 'system_u';
  const file = `${user}:object_r:container_file_t`;
  return { process: `${user}:${wish?.role ?? 'system_r'}:${wish?.type ?? 'container_t'}:${level}`, mount: `${file}:${level}`, shared: `${file}:s0` };
}
