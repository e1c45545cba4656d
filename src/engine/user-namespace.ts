import { readlinkSync } from 'node:fs';
import { EngineError, hostOwner, type IdMaps } from '../base/index.ts';
import type { HostConfig } from '../model/index.ts';
import type { EngineContext } from './context.ts';

/** The maps of a container's user namespace; undefined: it has the host's. */
function idMapsOf(ctx: Pick<EngineContext, 'options'>, hostConfig: HostConfig): IdMaps | undefined {
  return hostConfig.UsernsMode === 'host' ? undefined : ctx.options.idMaps;
}

/** The container's root as the host has it; undefined: it is the host's own. */
export function rootOwnerOf(ctx: Pick<EngineContext, 'options'>, hostConfig: HostConfig): { uid: number; gid: number } | undefined {
  const maps = idMapsOf(ctx, hostConfig);
  return maps === undefined ? undefined : hostOwner(maps, { uid: 0, gid: 0 });
}

/** Docker's rules for containers whose users are remapped. @throws invalidArgument */
export function checkUserNamespace(ctx: Pick<EngineContext, 'options'>, hostConfig: HostConfig): void {
  if (idMapsOf(ctx, hostConfig) === undefined) return;
  const bad = (message: string): EngineError => new EngineError('invalidArgument', message);
  if (hostConfig.Privileged) {
    throw bad('privileged mode is incompatible with user namespaces. You must run the container in the host namespace when running privileged mode');
  }
  if (hostConfig.NetworkMode === 'host') throw bad('cannot share the host\'s network namespace when user namespaces are enabled');
  if (hostConfig.PidMode === 'host') throw bad('cannot share the host PID namespace when user namespaces are enabled');
  if (hostConfig.IpcMode === 'host') throw bad('cannot share the host\'s IPC namespace when user namespaces are enabled');
  if (hostConfig.UTSMode === 'host') throw bad('cannot share the host\'s UTS namespace when user namespaces are enabled');
}

/**
 * What of a specification concerns the user namespace. Who joins another container's namespaces has that container's user namespace:
 * from another one it would have no rights over them.
 */
export function userNamespaceOf(
  ctx: EngineContext, hostConfig: HostConfig,
): { idMaps: IdMaps | undefined; userNamespacePath?: string } {
  const idMaps = idMapsOf(ctx, hostConfig);
  if (idMaps === undefined) return { idMaps };
  const modes = [hostConfig.NetworkMode, hostConfig.IpcMode, hostConfig.PidMode, hostConfig.UTSMode];
  const donors = modes.filter((mode) => mode.startsWith('container:')).map((mode) => ctx.store.find(mode.slice('container:'.length)));
  const paths = donors.flatMap(({ dynamics }) => (dynamics.process ? [`/proc/${dynamics.process.pid}/ns/user`] : []));
  const [path] = paths;
  if (path === undefined) return { idMaps };
  if (new Set([...paths.map((each) => readlinkSync(each))]).size > 1) {
    throw new EngineError('conflict', 'Cannot join the namespaces of containers that have different user namespaces');
  }
  if (readlinkSync(path) === readlinkSync('/proc/self/ns/user')) {
    throw new EngineError('conflict', 'Cannot join the namespaces of a container that has the host\'s user namespace: give --userns host');
  }
  return { idMaps, userNamespacePath: path };
}
