import { cut, invalid, shown } from './invalid.ts';

/** Most lines of an env file or a label file. */
const maxKeyValueLines = 16_384;
/** Longest line of one, in characters: docker's scanner gives up at 64 KiB. */
const maxKeyValueLineLength = 64 * 1024;

/** Gives the value of a variable of the caller's own environment. */
export type LookUp = (name: string) => string | undefined;

/**
 * `NAME=value` of `--env`; `NAME` alone takes the value that the caller has, if any, else stays alone (which unsets a
 * variable of the image).
 */
export function parseEnv(text: string, lookUp: LookUp): string {
  const { before, after } = cut(text, '=');
  if (before === '') throw invalid(`invalid environment variable: ${shown(text)}`);
  if (after !== undefined) return text;
  const value = lookUp(before);
  return value === undefined ? text : `${before}=${value}`;
}

/** `name=value`; `name` alone has an empty value. */
export function parseLabel(text: string): [name: string, value: string] {
  const { before, after } = cut(text, '=');
  const name = before.replace(/^[ \t]+/, '');
  if (name === '') throw invalid(`invalid label '${shown(text)}': empty name`);
  if (/[ \t]/.test(name)) throw invalid(`label '${shown(name)}' contains whitespaces`);
  return [name, after ?? ''];
}

/** Lines of a file of `NAME=value`, comments (`#`) and empty lines left out; a name alone is given to `bare`. */
function parseLines(kind: 'env' | 'label', content: string, file: string, bare: (name: string) => string | undefined): string[] {
  const lines = content.replace(/^\ufeff/, '').split('\n');
  if (lines.length > maxKeyValueLines) throw invalid(`invalid ${kind} file (${shown(file)}): more than ${maxKeyValueLines} lines`);
  const noun = kind === 'env' ? 'variable' : 'label';
  const result: string[] = [];
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/\r$/, '').trimStart();
    const fail = (why: string) => invalid(`invalid ${kind} file (${shown(file)}): ${why}`);
    if (line.length > maxKeyValueLineLength) throw fail(`line ${index + 1} is longer than ${maxKeyValueLineLength} characters`);
    if (line.includes('\0') || line.includes('\ufffd')) throw fail(`invalid utf8 bytes at line ${index + 1}`);
    if (line === '' || line.startsWith('#')) continue;
    const { before: name, after: value } = cut(line, '=');
    if (name === '') throw fail(`no ${noun} name on line '${shown(line)}'`);
    if (/[ \t]/.test(name)) throw fail(`${noun} '${shown(name)}' contains whitespaces`);
    const kept = value === undefined ? bare(name) : line;
    if (kept !== undefined) result.push(kept);
  }
  return result;
}

/** The variables of an `--env-file`'s text. A name alone takes the caller's value, and is left out where the caller has none. */
export function parseEnvFile(content: string, file: string, lookUp: LookUp): string[] {
  return parseLines('env', content, file, (name) => {
    const value = lookUp(name);
    return value === undefined ? undefined : `${name}=${value}`;
  });
}

/** The labels of a `--label-file`'s text. */
export function parseLabelFile(content: string, file: string): [name: string, value: string][] {
  return parseLines('label', content, file, (name) => name).map(parseLabel);
}

/** `key=value` where both must be there; `what` names the option. */
export function parseKeyValue(text: string, what: string): [key: string, value: string] {
  const { before, after } = cut(text, '=');
  if (before === '' || after === undefined) throw invalid(`invalid ${what} '${shown(text)}': want key=value`);
  return [before, after];
}
