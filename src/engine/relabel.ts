import { closeSync, constants, openSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { rawBytes, setXattr, walkTree } from '../linux/index.ts';
import { parseSecurityOpts } from '../model/index.ts';
import { selinuxLabels } from '../runtime/index.ts';
import type { EngineContext } from './context.ts';
import type { ContainerRecord } from './record.ts';

const attribute = 'security.selinux';
/** So many files are labelled before others get a turn. */
const filesPerTurn = 200;

/** Gives mount sources a container's label (`z`: that of all containers, `Z`: its own); undefined where it has none. */
export function relabellerOf(ctx: EngineContext, record: ContainerRecord): ((path: string, shared: boolean) => Promise<void>) | undefined {
  const labels = selinuxLabels(record.id, parseSecurityOpts(record.hostConfig.SecurityOpt), ctx.runtime.facts);
  return labels && ((path, shared) => relabelTree(path, shared ? labels.shared : labels.mount));
}

/** Labels a file, or a directory with all that is in it. No link is followed. */
export async function relabelTree(path: string, label: string): Promise<void> {
  const value = Buffer.from(`${label}\0`);
  const set = (target: string | Buffer): void => {
    try {
      setXattr(target, attribute, value);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw new EngineError('internal', `Cannot label ${path} for SELinux (${label}): ${messageOf(error)}`, { cause: error });
    }
  };
  if (!statSync(path).isDirectory()) return set(path);
  const rootFd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    let seen = 0;
    for (const { dirFd, name } of walkTree(rootFd)) {
      if (++seen % filesPerTurn === 0) await setImmediate();
      set(Buffer.concat([Buffer.from(`/proc/self/fd/${dirFd}/`), rawBytes(name === '' ? '.' : name)]));
    }
  } finally {
    closeSync(rootFd);
  }
}
