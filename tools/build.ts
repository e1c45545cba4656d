/**
 * Builds dist/isula, the one executable, and its links. `--splitting` makes each dynamic import a chunk of its own (a personality or
 * a command loads only what it needs), `--bytecode` saves parsing, and the source map, which costs no start-up time, makes stack traces
 * name real lines; the autoload switches keep the executable from reading
 * `.env` and `bunfig.toml` of whatever directory it is called in.
 *
 * Usage: bun tools/build.ts [--if-changed] [--outdir=DIR]   DIR is dist unless given
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = join(import.meta.dir, '..');
const outdir = resolve(root, process.argv.find((word) => word.startsWith('--outdir='))?.slice('--outdir='.length) ?? 'dist');
const out = join(outdir, 'isula');
const links = ['isulad'];
/** A command line is over before compiled code pays: it waits so many times longer than usual. The daemon takes the usual measure again. */
const jitPolicy = 50;

if (process.argv.includes('--if-changed') && isFresh()) {
  console.log(`${out} is up to date`);
} else {
  build();
}

function build(): void {
  const { version } = packageOf(require(join(root, 'package.json')));
  const started = performance.now();
  // Renamed into place: the old executable may be running, and nobody may start half of the new one.
  // In a directory of its own: beside the executable, which has the source maps in it, Bun writes each of them as a file too.
  const work = join(outdir, `.build-${process.pid}`);
  const fresh = join(work, 'isula');
  mkdirSync(work, { recursive: true });
  const result = Bun.spawnSync([
    process.execPath, 'build', '--compile', '--bytecode', '--minify', '--sourcemap', '--format=esm', '--splitting', '--target=bun',
    `--compile-jit-policy=${jitPolicy}`, '--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig',
    `--define=process.env.ISULA_VERSION=${JSON.stringify(version)}`,
    `--define=process.env.ISULA_COMMIT=${JSON.stringify(commit())}`,
    join(root, 'src', 'main.ts'), '--outfile', fresh,
  ], { cwd: root, stdout: 'pipe', stderr: 'pipe' });
  if (result.exitCode !== 0) {
    rmSync(work, { recursive: true, force: true });
    console.error(result.stdout.toString() + result.stderr.toString());
    process.exit(1);
  }
  renameSync(fresh, out);
  rmSync(work, { recursive: true, force: true });
  for (const name of links) {
    const link = join(outdir, name);
    rmSync(link, { force: true });
    symlinkSync('isula', link);
  }
  console.log(`built ${out} ${version} in ${((performance.now() - started) / 1000).toFixed(1)} s, links: ${links.join(' ')}`);
}

function packageOf(value: unknown): { version: string } {
  if (typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'string') return { version: value.version };
  throw new Error('package.json has no version');
}

function commit(): string {
  const git = Bun.spawnSync(['git', 'rev-parse', '--short=12', 'HEAD'], { cwd: root, stderr: 'ignore' });
  return git.exitCode === 0 ? git.stdout.toString().trim() : 'unknown';
}

/** True when the executable is younger than every source it is made of. */
function isFresh(): boolean {
  const built = statSync(out, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) return false;
  const sources = readdirSync(join(root, 'src'), { recursive: true }).map((name) => `src/${name}`);
  const files = ['package.json', 'package-lock.json', 'tools/build.ts', ...sources];
  return files.every((name) => (statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 0) <= built);
}
