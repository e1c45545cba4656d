import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { useDaemon, waitUntil } from './harness/index.ts';

/** Guide 1.3.1.3: a container ends with its monitor. It must not look running for ever, nor keep anyone from removing it. */
const daemon = useDaemon();

async function killMonitor(name: string): Promise<void> {
  const id = await daemon.ok(['inspect', '-f', '{{.Id}}', name]);
  process.kill(Number(readFileSync(join(daemon.dir, 'state/bundles', id, 'conmon.pid'), 'utf8')), 'SIGKILL');
}

const statusOf = (name: string) => daemon.ok(['ps', '-a', '--filter', `name=^/${name}$`, '--format', '{{.State}}']);

test('containers whose conmon was killed end; their policies apply', async () => {
  await daemon.ok(['run', '-d', '--name', 'plain', 'busybox', 'sleep', '1000']);
  await daemon.ok(['run', '-d', '--name', 'still', 'busybox', 'sleep', '1000']);
  await daemon.ok(['pause', 'still']);
  await daemon.ok(['run', '-d', '--name', 'once', '--rm', 'busybox', 'sleep', '1000']);
  await daemon.ok(['run', '-d', '--name', 'again', '--restart', 'always', 'busybox', 'sleep', '1000']);
  const before = await daemon.ok(['inspect', '-f', '{{.State.Pid}}', 'again']);
  const names = ['plain', 'still', 'once', 'again'];
  for (const name of names) await killMonitor(name);
  await waitUntil('plain to end', async () => (await statusOf('plain')) === 'exited');
  await waitUntil('still to end', async () => (await statusOf('still')) === 'exited');
  await waitUntil('once to be removed', async () => (await statusOf('once')) === '');
  await waitUntil('again to be restarted', async () => {
    const [status, pid] = (await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.Pid}}', 'again'])).split(' ');
    return status === 'running' && pid !== before;
  });
  expect(await daemon.ok(['exec', 'again', 'echo', 'hi'])).toBe('hi');
  await daemon.ok(['rm', '-f', 'plain', 'still', 'again']);
});

test('a removal by force that finds the monitor dead does not wait for its word', async () => {
  await daemon.ok(['run', '-d', '--name', 'box', 'busybox', 'sleep', '1000']);
  await killMonitor('box');
  await daemon.ok(['rm', '-f', 'box']);
  expect(await statusOf('box')).toBe('');
});
