import { lineAt, type Source } from './source.ts';

const maxLineLength = 150;
const maxFileLines = 400;

/** Files that may be longer than 400 lines, and why. */
const longFiles: Record<string, string> = {};

interface Rule {
  pattern: RegExp;
  problem: string;
}

/** On code without comments and strings. */
const codeRules: readonly Rule[] = [
  { pattern: /(?<![.\w$])any\b(?!\s*[(:=])/g, problem: 'the type any: use unknown and narrow it' },
  { pattern: /[\w$)\]]!(?![=])/g, problem: 'a non-null assertion: narrow instead' },
  { pattern: /\bas\s+(?!const\b)(?=[A-Za-z_$({[])/g, problem: 'a cast: narrow with a guard instead' },
  { pattern: /\b(?:test|it|describe)\.(?:only|todo)\b/g, problem: 'test.only or test.todo' },
  { pattern: /\bdebugger\b/g, problem: 'a debugger statement' },
];

/** On the whole text. The words are split so that this file does not hold them. */
const textRules: readonly Rule[] = [
  { pattern: new RegExp('\\b(?:TO' + 'DO|FIX' + 'ME|X' + 'XX)\\b', 'g'), problem: 'unfinished work: finish it or file an issue' },
  { pattern: new RegExp('@ts-(?:ig' + 'nore|no' + 'check|expect-error)', 'g'), problem: 'a silenced compiler' },
];

export function textProblems({ path, text, lines, code }: Source): string[] {
  const problems: string[] = [];
  const report = (line: number, problem: string) => problems.push(`${path}:${line}: ${problem}`);
  lines.forEach((line, index) => {
    if (line.length > maxLineLength) report(index + 1, `${line.length} characters, the limit is ${maxLineLength}`);
    if (/[ \t]$/.test(line)) report(index + 1, 'white space at the end');
    if (line.includes('\t')) report(index + 1, 'a tab');
  });
  if (!text.endsWith('\n')) report(lines.length, 'no newline at the end');
  if (lines.length - 1 > maxFileLines && longFiles[path] === undefined) report(1, `${lines.length - 1} lines, the limit is ${maxFileLines}`);
  const withoutRenames = blankRenames(code);
  for (const { pattern, problem } of codeRules) {
    for (const match of withoutRenames.matchAll(pattern)) report(lineAt(code, match.index), problem);
  }
  for (const { pattern, problem } of textRules) {
    for (const match of text.matchAll(pattern)) report(lineAt(text, match.index), problem);
  }
  // A skipped test says why: `test.skip('…', …) // reason` or skipIf with a condition.
  for (const match of code.matchAll(/\b(?:test|it|describe)\.skip\b/g)) {
    const line = lineAt(code, match.index);
    if (!/\/\/ \S/.test(`${lines[line - 2]}${lines[line - 1]}`)) report(line, 'a skipped test without a reason');
  }
  return problems;
}

/** `import { a as b }`, `export * as x` and the keys of mapped types rename, they do not cast. */
function blankRenames(code: string): string {
  const spaces = (text: string) => text.replace(/[^\n]/g, ' ');
  return code
    .replace(/^(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?)/gm, spaces)
    .replace(/\bin\s+keyof\s+[\w$]+\s+as\b/g, spaces);
}
