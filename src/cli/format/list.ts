import { print } from '../terminal/output.ts';
import { alignRows } from './table.ts';

/** One line of a list: docker's format fields by name; a function is a field that takes arguments (`{{.Label "x"}}`). */
export type Row = Readonly<Record<string, unknown>>;

export interface ListView {
  /** What --format gave; empty: the default table. */
  format: string;
  /** Fields of the default table, in order. */
  columns: readonly string[];
  /** Column titles by field. */
  titles: Readonly<Record<string, string>>;
  /** Docker's name of the rows' type, for messages about unknown fields. */
  context: string;
}

/** Prints a list as --format asks: the default table, `json`, `table TEMPLATE` or a template a row. */
export async function printList(view: ListView, rows: readonly Row[]): Promise<void> {
  const { format } = view;
  if (format === '' || format === 'table') {
    print(alignRows([view.columns.map((field) => view.titles[field] ?? field), ...rows.map((row) => view.columns.map((field) => cell(row[field])))]));
    return;
  }
  if (format === 'json') {
    print(rows.map((row) => `${JSON.stringify(sorted(row))}\n`).join(''));
    return;
  }
  const { compileTemplate } = await import('../template/index.ts');
  const isTable = /^table\b/.test(format);
  const source = isTable ? format.slice('table'.length).trimStart() : format;
  const missing = (name: string): string => `can't evaluate field ${name} in type *formatter.${view.context}`;
  const template = compileTemplate(source, { escapes: true, missing });
  const lines = rows.map((row) => template.run(sorted(row)));
  if (!isTable) print(lines.map((line) => `${line}\n`).join(''));
  else print(alignRows([template.runHeader(headerRow(view, rows)), ...lines].map((line) => line.split('\t'))));
}

/** Titles for every field; a field with arguments gives its first one (docker's header of `.Label "x"` is `x`). */
function headerRow(view: ListView, rows: readonly Row[]): Row {
  const titles: Record<string, unknown> = { ...view.titles };
  for (const [name, value] of Object.entries(rows[0] ?? {})) {
    if (typeof value === 'function') titles[name] = (argument: unknown) => lastPart(String(argument ?? name));
    else titles[name] ??= name.toUpperCase();
  }
  titles['Label'] ??= (argument: unknown) => lastPart(String(argument ?? ''));
  return titles;
}

function lastPart(label: string): string {
  return (label.split('.').at(-1) ?? label).replaceAll(/[-_]/g, ' ');
}

function cell(value: unknown): string {
  return typeof value === 'string' ? value : String(value ?? '');
}

/** Keys in order, as Go prints maps. */
function sorted(row: Row): Row {
  return Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
