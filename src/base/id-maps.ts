import { EngineError } from './errors.ts';

/** A range of ids in a user namespace (runtime-spec: uidMappings). */
export interface IdMap {
  containerID: number;
  hostID: number;
  size: number;
}

/** The ids of the daemon's remapped containers (`userns-remap`). */
export interface IdMaps {
  readonly uid: readonly IdMap[];
  readonly gid: readonly IdMap[];
}

/** Who owns what the maps do not know, seen from inside (kernel: overflowuid). */
const nobody = 65534;

/** The id on the host. @throws invalidArgument for one that no range has. */
function toHost(maps: readonly IdMap[], id: number, what: string): number {
  const map = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  if (map === undefined) throw new EngineError('invalidArgument', `Cannot map ${what} ${id}: it is outside the ranges of userns-remap`);
  return map.hostID + id - map.containerID;
}

function toContainer(maps: readonly IdMap[], id: number): number {
  const map = maps.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return map === undefined ? nobody : map.containerID + id - map.hostID;
}

type Owner = { uid: number; gid: number };

/** An owner inside a container as the host has it. */
export function hostOwner(maps: IdMaps, { uid, gid }: Owner): Owner {
  return { uid: toHost(maps.uid, uid, 'user id'), gid: toHost(maps.gid, gid, 'group id') };
}

/** An owner on the host as a container sees it. */
export function containerOwner(maps: IdMaps, { uid, gid }: Owner): Owner {
  return { uid: toContainer(maps.uid, uid), gid: toContainer(maps.gid, gid) };
}
