import { closeSync, fsyncSync, openSync, realpathSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf } from '../../base/index.ts';
import type { Body } from '../../client/index.ts';
import { ExitError } from '../command.ts';
import { writeAll } from './output.ts';
import { isTerminal } from './terminal.ts';

/**
 * Writes a body to a file, whole or not at all (a temporary file beside it is renamed), or to standard output when the path
 * is empty. @throws ExitError when standard output is a terminal, or the path is a device, a pipe or a directory.
 */
export async function saveBody(path: string, open: () => Promise<Body>): Promise<void> {
  if (path === '') {
    if (isTerminal(1)) throw new ExitError(1, 'cowardly refusing to save to a terminal. Use the -o flag or redirect');
    const body = await open();
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) await writeAll(1, chunk);
    return;
  }
  const target = targetOf(path);
  const temporary = join(dirname(target), `.isula-${process.pid}-${Date.now().toString(36)}.tmp`);
  let fd: number;
  try {
    fd = openSync(temporary, 'wx', 0o600);
  } catch (error) {
    throw new ExitError(1, `invalid output path: cannot write ${path}: ${reasonOf(error)}`);
  }
  const drop = (): void => {
    try {
      unlinkSync(temporary);
    } catch {
      // It was renamed, or is gone.
    }
  };
  process.once('exit', drop);
  const { exitOnSignals } = await import('../session/signals.ts');
  using _signals = exitOnSignals();
  try {
    const body = await open();
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
    fsyncSync(fd);
    renameSync(temporary, target);
  } finally {
    closeSync(fd);
    drop();
    process.off('exit', drop);
  }
}

/** The file itself, behind symbolic links. What is no regular file would be replaced by one: /dev/null too. */
function targetOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return path;
  if (found.isDirectory()) throw new ExitError(1, `invalid output path: ${JSON.stringify(path)} is a directory`);
  if (!found.isFile()) throw new ExitError(1, `invalid output path: ${JSON.stringify(path)} must be a regular file`);
  return realpathSync(path);
}
