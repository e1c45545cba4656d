import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerClients, runCommand, useDaemon } from './harness/index.ts';

/** The real docker command lines drive the daemon: what they parse out of our answers is what the API has to be. */
const daemon = useDaemon();

for (const client of dockerClients()) {
  describe(client, () => {
    const docker = (args: string[], input?: string): ReturnType<typeof daemon.docker> =>
      daemon.docker(args, { client, ...(input === undefined ? {} : { input }) });
    /** Standard output, trimmed; throws unless the command ends with 0. */
    const ok = async (args: string[], input?: string): Promise<string> => {
      const { code, stdout, stderr } = await docker(args, input);
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: exit status ${code}: ${stderr}${stdout}`);
      return stdout.trim();
    };

    test('version and info are negotiated', async () => {
      expect(await ok(['version', '--format', '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}'])).toBe('1.51 1.24 linux');
      expect(await ok(['info', '--format', '{{.OSType}} {{.Driver}} {{.CgroupDriver}}'])).toBe('linux overlay2 cgroupfs');
    });

    test('run: output on its streams, exit statuses, piped input to its end', async () => {
      const { code, stdout, stderr } = await docker(['run', '--rm', '--net', 'none', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
      expect([code, stdout, stderr]).toEqual([3, 'out\n', 'err\n']);
      expect(await ok(['run', '--rm', '-i', '--net', 'none', 'busybox', 'sh'], 'echo piped; exit 0\n')).toBe('piped');
      const missing = await docker(['run', '--rm', '--net', 'none', 'busybox', 'nonexistent']);
      expect([missing.code, missing.stderr]).toEqual([127, expect.stringContaining('executable file not found in $PATH')]);
      expect((await docker(['run', '--rm', '--net', 'none', 'busybox', '/etc'])).code).toBe(126);
      expect((await docker(['run', '--rm', '--net', 'none', '--name', '-bad', 'busybox'])).code).toBe(125);
    });

    test('the life of a container, and what is asked of it meanwhile', async () => {
      const script = 'echo ready; while true; do sleep 1; done';
      const id = await ok(['create', '--name', 'first', '--net', 'none', 'busybox', 'sh', '-c', script]);
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(await ok(['start', 'first'])).toBe('first');
      expect(await ok(['ps', '--no-trunc', '--filter', 'name=first', '--format', '{{.ID}} {{.State}}'])).toBe(`${id} running`);
      expect(await ok(['inspect', '--format', '{{.State.Status}} {{.Name}} {{.Config.Image}}', id.slice(0, 12)])).toBe('running /first busybox');
      expect(await ok(['exec', 'first', 'echo', 'inside'])).toBe('inside');
      expect(await ok(['exec', '-i', 'first', 'cat'], 'through')).toBe('through');
      expect((await docker(['exec', 'first', 'sh', '-c', 'exit 7'])).code).toBe(7);
      expect((await docker(['exec', 'first', 'nonexistent'])).code).toBe(127);
      await ok(['exec', '-d', 'first', 'sleep', '60']);
      expect(await ok(['top', 'first', '-o', 'pid,args'])).toContain(script);
      expect(await ok(['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'first'])).toMatch(/^first \d+$/);
      expect(await ok(['logs', 'first'])).toBe('ready');
      await ok(['pause', 'first']);
      expect(await ok(['ps', '--filter', 'status=paused', '--format', '{{.Names}}'])).toBe('first');
      await ok(['unpause', 'first']);
      await ok(['rename', 'first', 'second']);
      await ok(['restart', '-t', '0', 'second']);
      expect((await docker(['rm', 'second'])).code).toBe(1);
      await ok(['kill', 'second']);
      expect(await ok(['wait', 'second'])).toBe('137');
      await ok(['start', 'second']);
      await ok(['stop', '-t', '0', 'second']);
      // Docker sends whole seconds: -1s is the end of this one.
      const events = await ok(['events', '--since', '10m', '--until', '-1s', '--filter', 'container=second', '--format', '{{.Action}}']);
      expect(events).toContain('die');
      expect(await ok(['rm', 'second'])).toBe('second');
      expect((await docker(['inspect', 'second'])).code).toBe(1);
    });

    test('attach gets the end and the exit status', async () => {
      await ok(['create', '-i', '--name', 'fed', '--net', 'none', 'busybox', 'sh', '-c', 'cat; exit 4']);
      const { code, stdout } = await docker(['start', '-a', '-i', 'fed'], 'fed to it');
      expect([code, stdout]).toEqual([4, 'fed to it']);
      await ok(['rm', 'fed']);
    });

    test('images: import, tag, save, load, history, rmi; files in and out', async () => {
      const dir = mkdtempSync('/tmp/isula-api-docker-');
      try {
        writeFileSync(join(dir, 'file'), 'content');
        await runCommand(['tar', '-C', dir, '-cf', join(dir, 'root.tar'), 'file']);
        expect(await ok(['import', '-m', 'made', join(dir, 'root.tar'), 'made:1'])).toMatch(/^sha256:[0-9a-f]{64}$/);
        await ok(['tag', 'made:1', 'made:2']);
        expect((await ok(['images', 'made', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n').sort()).toEqual(['made:1', 'made:2']);
        expect(await ok(['history', '--format', '{{.Comment}}', 'made:1'])).toBe('made');
        await ok(['save', '-o', join(dir, 'saved.tar'), 'made:1']);
        await ok(['rmi', 'made:1', 'made:2']);
        expect(await ok(['load', '-i', join(dir, 'saved.tar')])).toBe('Loaded image: made:1');
        await ok(['create', '--name', 'files', '--net', 'none', 'made:1', 'x']);
        await ok(['cp', 'files:/file', join(dir, 'copied')]);
        await ok(['cp', join(dir, 'copied'), 'files:/again']);
        expect(await ok(['diff', 'files'])).toContain('A /again');
        await ok(['rm', 'files']);
        await ok(['rmi', 'made:1']);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });

    test('volumes, networks, prune, and what is refused', async () => {
      expect(await ok(['volume', 'create', 'vol'])).toBe('vol');
      expect(await ok(['volume', 'ls', '-q'])).toBe('vol');
      await ok(['volume', 'rm', 'vol']);
      expect((await ok(['network', 'ls', '--format', '{{.Name}}'])).split('\n').sort()).toEqual(['host', 'none']);
      expect((await docker(['network', 'create', 'web'])).stderr).toContain('user-defined networks are not supported by iSula');
      await ok(['system', 'prune', '-f']);
      await ok(['system', 'df']);
      expect((await docker(['swarm', 'init'])).stderr).toContain('not supported by iSula');
    });
  });
}
