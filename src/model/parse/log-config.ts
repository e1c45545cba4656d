import { parseBytes } from './bytes.ts';
import type { LogConfig } from '../container.ts';
import { invalid, shown } from './invalid.ts';

const keys = ['max-size', 'max-file', 'disable-log', 'labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'max-buffer-size', 'compress'];

/**
 * The rules for a container's log: driver `json-file` (empty: the daemon's choice) or `none`, known options, numbers in range.
 * What they mean is for the engine's log reader and rotator.
 */
export function checkLogConfig(log: LogConfig): void {
  const options = Object.entries(log.Config);
  if (log.Type === 'none') {
    if (options.length > 0) throw invalid('invalid logging opts for driver none');
    return;
  }
  if (log.Type !== '' && log.Type !== 'json-file') throw invalid(`logger: no log driver named '${shown(log.Type)}' is registered`);
  for (const [key, value] of options) {
    if (!keys.includes(key)) throw invalid(`unknown log opt '${shown(key)}' for json-file log driver`);
    if (key === 'max-file' && (!/^[0-9]{1,5}$/.test(value) || Number(value) < 1)) {
      throw invalid(`invalid value for max-file: ${shown(value)}: must be a number larger than 0`);
    }
    if (key === 'max-size' && value !== '-1' && parseBytes(value) <= 0) {
      throw invalid(`invalid value for max-size: ${shown(value)}: must be larger than 0`);
    }
    if (key === 'disable-log' && value !== 'true' && value !== 'false') {
      throw invalid(`invalid value for disable-log: ${shown(value)}: want true or false`);
    }
    if (key === 'mode' && value !== 'blocking') throw invalid(`invalid value for mode: ${shown(value)}: only blocking is supported`);
    if (key === 'max-buffer-size') throw invalid('max-buffer-size option is only supported with \'mode=non-blocking\'');
    if (key === 'compress' && value !== 'false') throw invalid(`invalid value for compress: ${shown(value)}: rotated logs are not compressed`);
  }
}
