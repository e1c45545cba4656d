/**
 * Runs the proof that the tree is good: types, tidy, unit tests (src, tools) and integration tests (tests). Each test file of `tests` is a
 * process of its own, each folder below src another: a crash costs one file and is counted as a failure. The last line is
 * `N passed, N failed`, with `, N skipped` when any.
 *
 * Usage: bun tools/test.ts [PATTERN]   PATTERN: a stage (types, tidy, unit, integration), part of a path, or part of a test's name
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** One process that is run and counted. */
interface Job {
  name: string;
  command: string[];
  /** A job of bun test writes a JUnit report; any other counts as one test. */
  isBunTest: boolean;
  limitMs: number;
}

const root = join(import.meta.dir, '..');
const bun = process.execPath;
const testTimeoutMs = 120_000;
const reports = mkdtempSync('/tmp/isula-report-');

const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
/** Passed only when run again. */
const unsteady: string[] = [];
try {
  const started = performance.now();
  for (const job of jobs(process.argv[2] ?? '')) await run(job);
  if (unsteady.length > 0) console.log(`\nunsteady, failed once and passed when run again: ${unsteady.join(', ')}`);
  console.log(`\nran in ${((performance.now() - started) / 1000).toFixed(0)} s`);
} finally {
  rmSync(reports, { recursive: true, force: true });
}
if (totals.passed + totals.failed + totals.skipped === 0) {
  console.log(`nothing matches ${JSON.stringify(process.argv[2])}`);
  totals.failed = 1;
}
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);
process.exit(totals.failed > 0 ? 1 : 0);

function jobs(pattern: string): Job[] {
  const checks: Job[] = [
    { name: 'types', command: [join(root, 'node_modules/.bin/tsc'), '-p', '.'], isBunTest: false, limitMs: 300_000 },
    { name: 'tidy', command: [bun, 'tools/tidy.ts'], isBunTest: false, limitMs: 120_000 },
  ];
  const unit = [...testFiles('src'), ...testFiles('tools')];
  const integration = testFiles('tests');
  if (pattern === '') return [...checks, ...byFolder(unit), ...integration.map((file) => bunTest(file, [file]))];
  if (pattern === 'unit') return byFolder(unit);
  if (pattern === 'integration') return integration.map((file) => bunTest(file, [file]));
  const named = checks.filter(({ name }) => name === pattern);
  if (named.length > 0) return named;
  const files = [...unit, ...integration];
  const byPath = files.filter((file) => file.includes(pattern));
  if (byPath.length > 0) return byPath.map((file) => bunTest(file, [file]));
  const byContent = files.filter((file) => readFileSync(join(root, file), 'utf8').includes(pattern));
  return byContent.map((file) => bunTest(file, [file], pattern));
}

function testFiles(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name)));
  return names.filter((name) => name.endsWith('.test.ts')).sort();
}

/** Unit tests of one folder below src share a process. */
function byFolder(files: readonly string[]): Job[] {
  const folders = [...new Set(files.map((file) => file.split('/').slice(0, file.startsWith('src/') ? 2 : 1).join('/')))];
  return folders.map((folder) => bunTest(folder, files.filter((file) => file.startsWith(`${folder}/`))));
}

function bunTest(name: string, files: readonly string[], testName = ''): Job {
  const filter = testName === '' ? [] : ['-t', testName.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')];
  const report = join(reports, `${name.replaceAll('/', '-')}.xml`);
  const options = ['--timeout', String(testTimeoutMs), '--reporter=junit', `--reporter-outfile=${report}`, ...filter];
  const command = [bun, 'test', ...options, ...files.map((file) => `./${file}`)];
  return { name, command, isBunTest: true, limitMs: 15 * 60_000 };
}

interface Outcome {
  counts: Totals;
  verdict: string;
  seconds: string;
}

/**
 * Runs a job and counts it. Test files share this machine with whatever else runs on it, so one that fails is run once more, alone: what
 * fails again has failed; what passes then is counted as it ended and named as unsteady, with what it said the first time.
 */
async function run(job: Job): Promise<void> {
  let outcome = await attempt(job);
  if (outcome.counts.failed > 0 && job.isBunTest) {
    say(job, outcome);
    outcome = await attempt(job);
    if (outcome.counts.failed === 0) {
      unsteady.push(job.name);
      outcome.verdict = 'UNSTEADY';
    }
  }
  totals.passed += outcome.counts.passed;
  totals.failed += outcome.counts.failed;
  totals.skipped += outcome.counts.skipped;
  say(job, outcome);
}

function say(job: Job, { counts, verdict, seconds }: Outcome): void {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  console.log(`${verdict} ${job.name}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${seconds} s)`);
}

async function attempt(job: Job): Promise<Outcome> {
  const started = performance.now();
  const child = Bun.spawn(job.command, { cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env: { ...process.env, NO_COLOR: '1' } });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, job.limitMs);
  const texts = Promise.all([readAll(child.stdout), readAll(child.stderr)]);
  const exitCode = await child.exited;
  clearTimeout(limit);
  // A process that a test left behind may hold the pipes open: what it would say does not matter.
  const [stdout, stderr] = await Promise.race([texts, Bun.sleep(5000).then(() => ['', '(its output is still held open by a process it left)\n'])]);
  const counts = job.isBunTest ? counted(job, exitCode) : { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
  if (counts.failed > 0) console.log(`${stdout}${stderr}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return { counts, verdict: isLate ? 'LATE' : counts.failed > 0 ? 'FAIL' : 'ok  ', seconds };
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

/** Sums of the JUnit report. A process that failed without a failed test, or left no report, crashed: one failure. */
function counted({ command, name }: Job, exitCode: number): Totals {
  const path = command.find((word) => word.startsWith('--reporter-outfile='))?.slice('--reporter-outfile='.length) ?? '';
  const head = existsSync(path) ? /<testsuites [^>]*>/.exec(readFileSync(path, 'utf8'))?.[0] : undefined;
  rmSync(path, { force: true });
  if (head === undefined) {
    console.log(`${name}: no report, exit status ${exitCode}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const number = (key: string) => Number(new RegExp(` ${key}="([0-9]+)"`).exec(head)?.[1] ?? 'NaN');
  const [tests, failures, skipped] = [number('tests'), number('failures'), number('skipped')];
  const crashed = exitCode !== 0 && failures === 0 ? 1 : 0;
  if (crashed > 0) console.log(`${relative(root, path)}: exit status ${exitCode} without a failed test`);
  // Tests that the name filter left out count as skipped in the report, not here.
  return { passed: tests - failures - skipped, failed: failures + crashed, skipped: command.includes('-t') ? 0 : skipped };
}
