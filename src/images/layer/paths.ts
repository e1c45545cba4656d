import { EngineError } from '../../base/index.ts';
import { shown } from './tar-format.ts';

/** Directories that one file may be under. */
const depthMax = 1000;
/** NAME_MAX. */
const componentBytesMax = 255;

/**
 * An archive's name as a path below the target: no leading slash, no `.`, no `..`; empty is the target itself. `..` is taken
 * back by the letters alone, as docker does.
 * @throws EngineError invalidArgument for a name that leads out of the target, tooLarge for one too long or too deep.
 */
export function targetPath(name: string): string {
  // Most names are clean, and need no work.
  if (!/(?:^|\/)(?:\.{0,2}(?:\/|$))|^\//.test(name) && name.length <= componentBytesMax) return name;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part.length > componentBytesMax) {
      const why = `a part of the name has ${part.length} bytes, the limit is ${componentBytesMax}`;
      throw new EngineError('tooLarge', `Cannot unpack ${shown(name)}: ${why}`);
    }
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw new EngineError('invalidArgument', `Cannot unpack ${shown(name)}: the name leads out of the target`);
  }
  if (parts.length > depthMax) {
    throw new EngineError('tooLarge', `Cannot unpack ${shown(name)}: it is ${parts.length} directories deep, the limit is ${depthMax}`);
  }
  return parts.join('/');
}

/** The directory that a path is in, and its last name. */
export function splitPath(path: string): [parent: string, name: string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

export function joinPath(parent: string, name: string): string {
  return parent === '' ? name : name === '' ? parent : `${parent}/${name}`;
}
