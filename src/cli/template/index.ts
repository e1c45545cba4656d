import { runTemplate } from './exec.ts';
import { functions, headerFunctions } from './functions.ts';
import { TemplateError } from './lex.ts';
import { parseTemplate } from './parse.ts';

export { TemplateError } from './lex.ts';
export type { Method } from './value.ts';

export interface Template {
  /** @throws TemplateError `template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"`. */
  run(data: unknown): string;
  /** The same over a table's titles: functions leave them as they are. */
  runHeader(titles: unknown): string;
}

export interface CompileOptions {
  /** Read `\t` and `\n` as tab and line feed, as docker's list formats do. */
  escapes?: boolean;
  /** The message for a missing field; default that of a map. */
  missing?: (name: string) => string;
}

/** @throws TemplateError `template parsing error: template: :1: …`. */
export function compileTemplate(source: string, options: CompileOptions = {}): Template {
  const text = options.escapes === true ? source.replaceAll('\\t', '\t').replaceAll('\\n', '\n') : source;
  const missing = options.missing ?? ((name: string) => `map has no entry for key "${name}"`);
  let nodes: ReturnType<typeof parseTemplate>;
  try {
    nodes = parseTemplate(text, (name) => Object.hasOwn(functions, name));
  } catch (error) {
    throw error instanceof TemplateError ? new TemplateError(`template parsing error: ${error.message}`) : error;
  }
  return {
    run: (data) => runTemplate(nodes, data, { source: text, functions, missing }),
    runHeader: (titles) => runTemplate(nodes, titles, { source: text, functions: headerFunctions, missing }),
  };
}
