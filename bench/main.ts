/**
 * Measures isula beside docker and podman, where they are installed, in turns, and writes the medians and their ratios into
 * docs/benchmarks.md. Everything runs under roots of its own in /tmp (ISULA_TEST_ROOT names another place) and is gone afterwards,
 * also after Ctrl-C. Build first: dist/isula is measured, or the build that ISULA_DIST names.
 *
 * Usage: bun bench/main.ts [--only=serial,parallel,memory,records,restart,streams,images] [--engines=isula,docker,podman] [--rounds=N]
 *                          [--out=FILE]
 */
import { join } from 'node:path';
import { root } from '../tests/harness/index.ts';
import { handleSignals, isEnding, onSignal } from './cleanup.ts';
import type { Contender } from './contender.ts';
import { closeEngines, openEngines } from './engines.ts';
import { images } from './images.ts';
import { machineTable, writeTables, type Table } from './report.ts';
import { memory, recordList, restart } from './scale.ts';
import { parallel, serial } from './serial.ts';
import { streams } from './streams.ts';

type Suite = (engines: readonly Contender[], rounds: number) => Promise<Table>;

/** In the order in which they run, and how many rounds make a median. */
const suites: Record<string, { run: Suite; rounds: number }> = {
  memory: { run: memory, rounds: 1 },
  serial: { run: serial, rounds: 11 },
  parallel: { run: parallel, rounds: 2 },
  records: { run: recordList, rounds: 9 },
  streams: { run: streams, rounds: 2 },
  images: { run: images, rounds: 2 },
  restart: { run: restart, rounds: 3 },
};

function option(name: string): string | undefined {
  return process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
}

async function main(): Promise<void> {
  const only = option('only')?.split(',') ?? Object.keys(suites);
  const unknown = only.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
  const rounds = option('rounds') === undefined ? undefined : Number(option('rounds'));
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds wants a whole number above 0');
  const out = option('out') ?? join(root, 'docs', 'benchmarks.md');
  handleSignals();
  using _engines = onSignal(closeEngines);
  try {
    const engines = await openEngines((option('engines') ?? 'isula,docker,podman').split(','));
    const tables = [machineTable(engines)];
    for (const [name, suite] of Object.entries(suites)) {
      if (!only.includes(name)) continue;
      const started = performance.now();
      const table = await suite.run(engines, rounds ?? suite.rounds);
      tables.push(table);
      console.log(`\n${name} (${((performance.now() - started) / 1000).toFixed(0)} s)\n${table.lines.join('\n')}`);
    }
    writeTables(out, tables);
  } finally {
    if (!isEnding()) await closeEngines();
  }
}

try {
  await main();
} catch (error) {
  // The signal's cleaning ends the program.
  if (isEnding()) await new Promise(() => undefined);
  throw error;
}
