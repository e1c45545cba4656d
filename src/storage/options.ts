import { EngineError } from '../base/index.ts';
import { parseBytes } from '../model/index.ts';

export interface Overlay2Options {
  overrideKernelCheck: boolean;
  /** What a container may write unless its creation says otherwise; undefined: no limit. */
  quotaBytes: number | undefined;
}

/**
 * Reads `--storage-opt` values: overlay2.override_kernel_check=BOOL, overlay2.size=SIZE, overlay2.basesize=SIZE (guide 1.2.2 and
 * 1.4.14: the last two are one).
 * @throws EngineError invalidArgument.
 */
export function parseOverlay2Options(options: readonly string[]): Overlay2Options {
  const parsed: Overlay2Options = { overrideKernelCheck: false, quotaBytes: undefined };
  for (const option of options) {
    const at = option.indexOf('=');
    const name = at < 0 ? option : option.slice(0, at);
    const value = at < 0 ? '' : option.slice(at + 1).trim();
    switch (name.trim()) {
      case 'overlay2.override_kernel_check':
        if (!/^(?:true|false|1|0)$/i.test(value)) throw refused(option, 'want true or false');
        parsed.overrideKernelCheck = /^(?:true|1)$/i.test(value);
        break;
      case 'overlay2.size':
      case 'overlay2.basesize': {
        const bytes = parseBytes(value);
        if (bytes <= 0) throw refused(option, 'want a size above 0');
        parsed.quotaBytes = bytes;
        break;
      }
      default:
        throw refused(option, 'overlay2 has no such option (it has override_kernel_check, size and basesize)');
    }
  }
  return parsed;
}

function refused(option: string, why: string): EngineError {
  return new EngineError('invalidArgument', `Cannot use storage option ${JSON.stringify(option)}: ${why}`);
}
