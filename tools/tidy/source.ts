import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export interface Import {
  /** Path from the root, or a package's name. */
  target: string;
  isRelative: boolean;
  isTypeOnly: boolean;
  isDynamic: boolean;
  names: readonly string[];
  isStar: boolean;
  /** `export … from`: what comes in goes out again. */
  isReexport: boolean;
  line: number;
}

export interface Source {
  path: string;
  text: string;
  lines: readonly string[];
  /** The text with comments and the contents of strings blanked, of the same length. */
  code: string;
  /** The text with comments blanked. */
  uncommented: string;
  imports: readonly Import[];
}

export function readSources(root: string, folders: readonly string[]): Source[] {
  return folders.flatMap((folder) => filesOf(root, folder).map((path) => readSource(root, path)));
}

function filesOf(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name)));
  return names.filter((name) => name.endsWith('.ts')).sort();
}

function readSource(root: string, path: string): Source {
  return sourceOf(path, readFileSync(join(root, path), 'utf8'));
}

export function sourceOf(path: string, text: string): Source {
  const { code, uncommented } = blank(text);
  return { path, text, lines: text.split('\n'), code, uncommented, imports: importsOf(path, code, uncommented) };
}

const clause = /((?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?)|[\w$]+)/.source;
const statement = new RegExp(`\\b(import|export)\\s+(type\\s+)?${clause}\\s+from\\s+['"]([^'"]+)['"]`, 'g');

function importsOf(path: string, code: string, uncommented: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, index: number, rest: Omit<Import, 'target' | 'isRelative' | 'line'>) => {
    const isRelative = specifier.startsWith('.');
    const target = isRelative ? normalize(join(dirname(path), specifier)) : specifier;
    found.push({ target, isRelative, line: lineAt(uncommented, index), ...rest });
  };
  for (const match of uncommented.matchAll(statement)) {
    const [, keyword, type, items = '', specifier = ''] = match;
    if (!/^(?:import|export)/.test(code.slice(match.index))) continue;
    const inner = /\{([^}]*)\}/.exec(items)?.[1] ?? '';
    const named = inner.split(',').map((item) => item.trim()).filter((item) => item !== '');
    const names = named.map((item) => item.replace(/^type\s+/, '').split(/\s+as\s+/)[0] ?? '');
    const isTypeOnly = type !== undefined || (named.length > 0 && named.every((item) => item.startsWith('type ')));
    add(specifier, match.index, { isTypeOnly, isDynamic: false, names, isStar: items.includes('*'), isReexport: keyword === 'export' });
  }
  for (const match of uncommented.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    if (!code.startsWith('import(', match.index)) continue;
    add(match[1] ?? '', match.index, { isTypeOnly: false, isDynamic: true, names: [], isStar: true, isReexport: false });
  }
  return found;
}

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

const regexpMayFollow = /\b(?:return|case|typeof|in|of|await|yield)$/;

/** Blanks comments and the contents of strings, templates and regular expressions; what stands in `${…}` is code. */
function blank(text: string): { code: string; uncommented: string } {
  const code = [...text];
  const uncommented = [...text];
  const wipe = (target: string[], from: number, to: number) => {
    for (let at = from; at < to; at++) if (target[at] !== '\n') target[at] = ' ';
  };
  // The text is indexed by UTF-16 units; spreading splits by code points, so characters beyond the BMP are made two units first.
  if (code.length !== text.length) {
    const flat = text.replace(/[\u{10000}-\u{10ffff}]/gu, '  ');
    return blank(flat);
  }
  const templateDepths: number[] = [];
  let braces = 0;
  let at = 0;
  let before = '';
  const template = (): void => {
    const from = at;
    while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1;
    wipe(code, from, at);
    if (text[at] === '`') at++;
    else {
      templateDepths.push(braces++);
      at += 2;
    }
    before = ')';
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    const pair = text.slice(at, at + 2);
    if (pair === '//' || pair === '/*') {
      const end = pair === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at) + 2;
      const stop = end < at ? text.length : end;
      wipe(code, at, stop);
      wipe(uncommented, at, stop);
      at = stop;
    } else if (character === '\'' || character === '"') {
      const from = ++at;
      while (at < text.length && text[at] !== character) at += text[at] === '\\' ? 2 : 1;
      wipe(code, from, at++);
      before = ')';
    } else if (character === '`') {
      at++;
      template();
    } else if (character === '/' && !/[\w$)\]}]/.test(before)) {
      const from = ++at;
      for (let inClass = false; at < text.length && (inClass || text[at] !== '/') && text[at] !== '\n'; at++) {
        if (text[at] === '\\') at++;
        else if (text[at] === '[') inClass = true;
        else if (text[at] === ']') inClass = false;
      }
      wipe(code, from, at++);
      before = ')';
    } else {
      if (character === '{') braces++;
      if (character === '}' && --braces === templateDepths.at(-1)) {
        templateDepths.pop();
        at++;
        template();
        continue;
      }
      if (!/\s/.test(character)) before = character;
      // A regular expression may follow a keyword.
      if (/[a-z]/.test(character) && /\s/.test(text[at + 1] ?? '') && regexpMayFollow.test(text.slice(Math.max(0, at - 9), at + 1))) before = ';';
      at++;
    }
  }
  return { code: code.join(''), uncommented: uncommented.join('') };
}
