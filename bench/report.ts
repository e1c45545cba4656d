import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Contender } from './contender.ts';
import type { Samples } from './measure.ts';

export interface Table {
  /** Names the place in docs/benchmarks.md: `<!-- begin id -->`. */
  id: string;
  lines: string[];
}

export interface RowFormat {
  unit: 'ms' | 's' | 'MB' | 'MB/s';
  /** The figure: at most this share of docker's, or an absolute bound in the row's unit. */
  ratio?: number;
  atMost?: number;
  atLeast?: number;
}

/** One row for each thing measured: the medians, our ratio to docker's, and the figure to reach. */
export function tableOf(id: string, samples: Samples, engines: readonly Contender[], formatOf: (row: string) => RowFormat): Table {
  const names = engines.map(({ name }) => name);
  const lines = [`| | ${names.join(' | ')} | isula / docker | to reach | |`, `|---|${'---:|'.repeat(names.length)}---:|---:|---|`];
  for (const row of samples.rows) {
    const format = formatOf(row);
    const [ours, theirs] = [samples.median(row, 'isula'), samples.median(row, 'docker')];
    const ratio = ours !== undefined && theirs !== undefined && theirs > 0 ? ours / theirs : undefined;
    const cells = names.map((name) => shown(samples.median(row, name), format.unit));
    lines.push(`| ${row} | ${cells.join(' | ')} | ${ratio?.toFixed(2) ?? ''} | ${wanted(format)} | ${verdict(format, ours, ratio)} |`);
  }
  return { id, lines };
}

function shown(value: number | undefined, unit: RowFormat['unit']): string {
  if (value === undefined) return '';
  return `${value.toFixed(unit === 's' ? 2 : value < 20 ? 1 : 0)} ${unit}`;
}

function wanted({ unit, ratio, atMost, atLeast }: RowFormat): string {
  const absolute = [atMost === undefined ? '' : `≤ ${atMost} ${unit}`, atLeast === undefined ? '' : `≥ ${atLeast} ${unit}`];
  return [ratio === undefined ? '' : `≤ ${ratio.toFixed(2)}`, ...absolute].filter((text) => text !== '').join(', ');
}

function verdict({ ratio, atMost, atLeast }: RowFormat, ours: number | undefined, found: number | undefined): string {
  if (ours === undefined || (ratio === undefined && atMost === undefined && atLeast === undefined)) return '';
  if (ratio !== undefined && found === undefined) return '';
  const reached = (ratio === undefined || (found ?? 0) <= ratio) && ours <= (atMost ?? Infinity) && ours >= (atLeast ?? -Infinity);
  return reached ? 'reached' : 'MISSED';
}

/** The machine and the versions, as the tables' heading. */
export function machineTable(engines: readonly Contender[]): Table {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  return {
    id: 'machine',
    lines: [
      `${new Date().toISOString().slice(0, 10)}, ${cpus().length} processors (${cpu?.model ?? 'unknown'}), ${memory} GiB, Linux ${release()}. `
      + engines.map(({ name, versions }) => `${name}: ${versions.join(', ')}`).join('; ') + '.',
    ],
  };
}

/** Puts tables between their markers; a marker that is not there is added at the end. */
export function writeTables(path: string, tables: readonly Table[]): void {
  let text = existsSync(path) ? readFileSync(path, 'utf8') : '# Benchmarks\n';
  for (const { id, lines } of tables) {
    const [begin, end] = [`<!-- begin ${id} -->`, `<!-- end ${id} -->`];
    const block = [begin, ...lines, end].join('\n');
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    text = from >= 0 && to > from ? text.slice(0, from) + block + text.slice(to + end.length) : `${text.trimEnd()}\n\n${block}\n`;
  }
  writeFileSync(path, text);
}
