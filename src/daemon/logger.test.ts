import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from './config/index.ts';
import { openLogger } from './logger.ts';

function withLogger(opts: string[], use: (logger: ReturnType<typeof openLogger>, dir: string) => void): void {
  const dir = mkdtempSync('/tmp/isula-logger-');
  try {
    const flags = ['log-path=' + dir, ...opts].flatMap((opt) => ['--log-opt', opt]);
    using logger = openLogger(loadConfig(['--log-driver', 'file', '-l', 'INFO', ...flags, '-H', 'unix:///run/x.sock'], {}));
    use(logger, dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('levels, mode, and one line for one message', () => {
  withLogger(['log-file-mode=0640'], (logger, dir) => {
    logger.info('first\nsecond \x1b[31m');
    logger.debug('not shown');
    logger.setLevel('DEBUG');
    logger.debug('shown');
    const path = join(dir, 'isulad.log');
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z isulad INFO first\\nsecond \\x1b\[31m$/);
    expect(lines[1]).toEndWith('isulad DEBUG shown');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });
});

test('rotates at max-size and keeps max-file files', () => {
  withLogger(['max-size=2KB', 'max-file=3'], (logger, dir) => {
    for (let index = 0; index < 200; index++) logger.info(`message ${index} ${'x'.repeat(100)}`);
    expect(readdirSync(dir).sort()).toEqual(['isulad.log', 'isulad.log.1', 'isulad.log.2']);
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(2048);
    expect(readFileSync(join(dir, 'isulad.log'), 'utf8')).toContain('message 199 ');
  });
});

test('max-file 1 turns rotation off (guide, log-opts)', () => {
  withLogger(['max-size=2KB', 'max-file=1'], (logger, dir) => {
    for (let index = 0; index < 100; index++) logger.info(`message ${index} ${'x'.repeat(100)}`);
    expect(readdirSync(dir)).toEqual(['isulad.log']);
    expect(readFileSync(join(dir, 'isulad.log'), 'utf8').split('\n')).toHaveLength(101);
  });
});
