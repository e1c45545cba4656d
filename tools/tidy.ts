/**
 * Checks of the code itself: layers, import cycles, doors, dead exports, lengths, and what the compiler must not be talked out of.
 * Usage: bun tools/tidy.ts [PATH-PREFIX]   prints problems, exit status 1 when there are any
 */
import { join } from 'node:path';
import { deadExports } from './tidy/exports.ts';
import { readSources } from './tidy/source.ts';
import { structureProblems } from './tidy/structure.ts';
import { textProblems } from './tidy/text.ts';

const sources = readSources(join(import.meta.dir, '..'), ['src', 'tests', 'tools', 'bench']);
const problems = [...structureProblems(sources), ...deadExports(sources), ...sources.flatMap(textProblems)];
const shown = problems.filter((problem) => problem.startsWith(process.argv[2] ?? ''));
for (const problem of shown) console.log(problem);
console.log(`tidy: ${sources.length} files, ${shown.length} problems`);
process.exitCode = shown.length > 0 ? 1 : 0;
