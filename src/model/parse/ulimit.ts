import type { Ulimit } from '../container.ts';
import { parseInteger } from './integer.ts';
import { cut, invalid, shown } from './invalid.ts';

/** Guide 1.3.3.8; docker has the same sixteen. */
const types = [
  'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
];

/** -1 is unlimited; other negative numbers are taken for unsigned ones, as good as unlimited (guide 1.3.3.8). */
const sizeOf = (limit: number): number => (limit === -1 ? Infinity : limit < 0 ? 2 ** 64 + limit : limit);

/** The rules for one ulimit: known type, soft <= hard; of open files there is no other negative number than -1 (guide 1.3.3.8). */
export function checkUlimit(ulimit: Ulimit): Ulimit {
  const { Name, Soft, Hard } = ulimit;
  if (!types.includes(Name)) throw invalid(`invalid ulimit type: ${shown(Name)}`);
  const lowest = Math.min(Soft, Hard);
  if (Name === 'nofile' && lowest < -1) throw invalid(`invalid ulimit nofile: ${lowest} is no limit, -1 stands for none`);
  if (sizeOf(Soft) <= sizeOf(Hard)) return ulimit;
  if (Soft === -1) throw invalid(`ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${Hard}`);
  throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
}

/** `type=soft[:hard]`; without a hard limit it is the soft one (guide 1.3.3.8). */
export function parseUlimit(text: string): Ulimit {
  const { before: Name, after } = cut(text, '=');
  if (after === undefined) throw invalid(`invalid ulimit argument: ${shown(text)}`);
  if (!types.includes(Name)) throw invalid(`invalid ulimit type: ${shown(Name)}`);
  const [soft = '', hard, ...more] = after.split(':', 4);
  if (more.length > 0) throw invalid(`too many limit value arguments - ${shown(after)}, can only have up to two, \`soft[:hard]\``);
  const what = `invalid ulimit argument: ${shown(text)}`;
  const Soft = parseInteger(soft, what);
  return checkUlimit({ Name, Soft, Hard: hard === undefined ? Soft : parseInteger(hard, what) });
}
