import { parseBytes } from './bytes.ts';
import { invalid, shown } from './invalid.ts';

/** The storage options of a container: only `size`, the limit of its writable layer (guide 1.3.3.5). Bytes; undefined: none. */
export function storageSizeBytes(options: Readonly<Record<string, string>>): number | undefined {
  let size: number | undefined;
  for (const [key, value] of Object.entries(options)) {
    if (key !== 'size') throw invalid(`unknown option ${shown(key)} for storage-opt: only size is known`);
    size = parseBytes(value);
    if (size <= 0) throw invalid(`invalid storage-opt size '${shown(value)}': must be larger than 0`);
  }
  return size;
}
