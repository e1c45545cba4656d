import { EngineError } from '../../base/index.ts';
import type { MountRequest } from '../container.ts';
import { isMountType } from '../parse/mount.ts';
import type { JsonObject } from './json-object.ts';

function decodeBindOptions(json: JsonObject): NonNullable<MountRequest['BindOptions']> {
  const options: NonNullable<MountRequest['BindOptions']> = {};
  const propagation = json.string('Propagation');
  if (propagation !== '') options.Propagation = propagation;
  if (json.boolean('NonRecursive')) options.NonRecursive = true;
  if (json.boolean('CreateMountpoint')) options.CreateMountpoint = true;
  for (const key of ['ReadOnlyNonRecursive', 'ReadOnlyForceRecursive']) {
    if (json.boolean(key)) throw new EngineError('unsupported', `${json.pathOf(key)} is not supported`);
  }
  const selinux = json.string('Selinux');
  if (selinux === 'z' || selinux === 'Z') options.Selinux = selinux;
  else if (selinux !== '') throw new EngineError('invalidArgument', `invalid JSON: ${json.pathOf('Selinux')} must be "z" or "Z"`);
  return options;
}

function decodeVolumeOptions(json: JsonObject): NonNullable<MountRequest['VolumeOptions']> {
  const options: NonNullable<MountRequest['VolumeOptions']> = {};
  if (json.boolean('NoCopy')) options.NoCopy = true;
  const labels = json.stringMap('Labels');
  if (Object.keys(labels).length > 0) options.Labels = labels;
  const driver = json.object('DriverConfig');
  if (driver !== undefined) options.DriverConfig = { Name: driver.string('Name'), Options: driver.stringMap('Options') };
  const subpath = json.string('Subpath');
  if (subpath !== '') options.Subpath = subpath;
  return options;
}

function decodeTmpfsOptions(json: JsonObject): NonNullable<MountRequest['TmpfsOptions']> {
  const options: NonNullable<MountRequest['TmpfsOptions']> = {};
  if (json.raw('Options') !== undefined) throw new EngineError('unsupported', `${json.pathOf('Options')} is not supported: use --tmpfs`);
  const size = json.integer('SizeBytes');
  if (size !== 0) options.SizeBytes = size;
  const mode = json.optionalInteger('Mode');
  if (mode !== undefined && mode !== 0) options.Mode = mode;
  return options;
}

/** The `Mounts` of a HostConfig (moby: Mount). */
export function decodeMounts(json: JsonObject, key: string): MountRequest[] {
  return json.objects(key).map((item) => {
    const type = item.string('Type').toLowerCase();
    if (!isMountType(type)) throw new EngineError('invalidArgument', `invalid mount config for type "${type}": mount type unknown`);
    const mount: MountRequest = { Type: type, Source: item.string('Source'), Target: item.string('Target'), ReadOnly: item.boolean('ReadOnly') };
    const consistency = item.string('Consistency');
    if (consistency !== '') mount.Consistency = consistency;
    const bind = item.object('BindOptions');
    if (bind !== undefined) mount.BindOptions = decodeBindOptions(bind);
    const volume = item.object('VolumeOptions');
    if (volume !== undefined) mount.VolumeOptions = decodeVolumeOptions(volume);
    const tmpfs = item.object('TmpfsOptions');
    if (tmpfs !== undefined) mount.TmpfsOptions = decodeTmpfsOptions(tmpfs);
    return mount;
  });
}
