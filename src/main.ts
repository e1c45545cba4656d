/**
 * The one executable: the name it is called by chooses what it is. Each personality is a chunk of its own that is loaded when
 * chosen, so that the command line starts without the daemon's code (docs/architecture.md, start-up).
 */
import { basename } from 'node:path';

type Personality = { main(argv: string[]): Promise<number> };

const personalities: Record<string, () => Promise<Personality>> = {
  isula: () => import('./cli/main.ts'),
  isulad: () => import('./daemon/main.ts'),
};

const load = personalities[basename(process.argv0)] ?? personalities['isula'];
if (load) process.exitCode = await (await load()).main(process.argv.slice(2));
