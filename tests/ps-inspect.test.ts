import { beforeAll, expect, test } from 'bun:test';
import { at, useDaemon } from './harness/index.ts';

const daemon = useDaemon();
const ids: Record<string, string> = {};

beforeAll(async () => {
  const options = ['-l', 'tier=front', '-l', 'app=shop', '-e', 'A=b', '-m', '32m'];
  ids['web'] = await daemon.ok(['run', '-d', '--name', 'web', ...options, 'busybox', 'sleep', '1000']);
  ids['gone'] = await daemon.ok(['run', '-d', '--name', 'gone', '-l', 'tier=back', 'busybox', 'sh', '-c', 'exit 3']);
  await daemon.ok(['wait', 'gone']);
  ids['made'] = await daemon.ok(['create', '--name', 'made', '--net', 'host', 'busybox', 'echo', 'a "quoted" word']);
  ids['ice'] = await daemon.ok(['run', '-d', '--name', 'ice', '-v', 'vol:/data', 'busybox', 'sleep', '1000']);
  await daemon.ok(['pause', 'ice']);
});

async function names(...flags: string[]): Promise<string> {
  return (await daemon.ok(['ps', '-a', ...flags, '--format', '{{.Names}}'])).replaceAll('\n', ' ');
}

test('ps: which are listed, and in which order', async () => {
  expect(await names()).toBe('ice made gone web');
  expect((await daemon.ok(['ps', '--format', '{{.Names}}'])).split('\n')).toEqual(['ice', 'web']);
  expect(await daemon.ok(['ps', '-q', '--no-trunc'])).toBe(`${ids['ice']}\n${ids['web']}`);
  expect(await names('-n', '2')).toBe('ice made');
  expect(await daemon.ok(['ps', '-l', '--format', '{{.Names}}'])).toBe('ice');
});

test('every filter, and what is none', async () => {
  const table: [string[], string][] = [
    [['name=we'], 'web'], [['name=^/web$'], 'web'], [['name=^e'], ''], [['name=web', 'name=made'], 'made web'],
    [[`id=${ids['gone']?.slice(0, 10)}`], 'gone'],
    [['label=tier'], 'gone web'], [['label=tier=front'], 'web'], [['label=tier', 'label=app=shop'], 'web'],
    [['status=exited'], 'gone'], [['status=created'], 'made'], [['status=inited'], 'made'], [['status=paused'], 'ice'],
    [['status=exited', 'status=paused'], 'ice gone'],
    [['exited=3'], 'gone'], [['exited=0'], ''],
    [['ancestor=busybox'], 'ice made gone web'], [['ancestor=other'], ''],
    [['before=made'], 'gone web'], [['since=gone'], 'ice made'],
    [['volume=vol'], 'ice'], [['volume=/data'], 'ice'], [['network=host'], 'made'],
    [['health=none'], 'ice made gone web'], [['status=running', 'label=tier=front'], 'web'],
  ];
  for (const [filters, wanted] of table) {
    expect([filters, await names(...filters.flatMap((filter) => ['-f', filter]))]).toEqual([filters, wanted]);
  }
  for (const wrong of ['nosuch=1', 'status=asleep', 'exited=x', 'noequals', 'before=unknown', 'name=(']) {
    const result = await daemon.isula(['ps', '-f', wrong]);
    expect([wrong, result.code === 0]).toEqual([wrong, false]);
    expect(result.stderr).not.toBe('');
  }
  expect((await daemon.http('GET', '/containers/json?filters={')).status).toBe(400);
  expect((await daemon.http('GET', '/containers/json?filters={"nosuch":["1"]}')).status).toBe(400);
  expect((await daemon.http('GET', '/containers/json?limit=x')).status).toBe(400);
});

test('the template language of --format', async () => {
  const table: [string, string][] = [
    ['{{.Names}} {{.Image}} {{.Command}}', 'web busybox "sleep 1000"'],
    ['{{upper .Names}}{{lower "ABC"}}', 'WEBabc'],
    ['{{json .Names}}', '"web"'],
    ['{{len .Names}}', '3'],
    ['{{if eq .State "running"}}up{{else}}down{{end}}', 'up'],
    ['{{if and (ne .Names "x") (eq .State "running")}}both{{end}}', 'both'],
    ['{{if not .Names}}no{{else if .Image}}image{{end}}', 'image'],
    ['{{printf "%-6s|%5.2f|%03d|%q" .Names 1.5 7 "z"}}', 'web   | 1.50|007|"z"'],
    ['{{join (split "a,b" ",") "-"}}', 'a-b'],
    ['{{range split "a,b" ","}}<{{.}}>{{end}}', '<a><b>'],
    ['{{with .Names}}{{.}}!{{end}}', 'web!'],
    ['{{$n := .Names}}{{$n}}', 'web'],
    ['{{truncate .Names 2}}{{pad "x" 1 1}}|', 'we x |'],
    ['{{.Label "app"}}', 'shop'],
    ['a\\tb', 'a\tb'],
    ['a {{/* nothing */}}{{- "x" -}} b', 'a xb'],
  ];
  for (const [format, wanted] of table) {
    const { stdout, stderr } = await daemon.isula(['ps', '-f', 'name=web', '--format', format]);
    expect([format, stdout.replace(/\n$/, ''), stderr]).toEqual([format, wanted, '']);
  }
  for (const wrong of ['{{.Names', '{{nosuch .Names}}', '{{if}}x{{end}}', '{{end}}', '{{range .Names}}']) {
    const result = await daemon.isula(['ps', '--format', wrong]);
    expect([wrong, result.code === 0, result.stdout, result.stderr]).toEqual([wrong, false, '', expect.stringContaining('template')]);
  }
  const lines = (await daemon.ok(['ps', '-a', '--format', 'table {{.Names}}\t{{.Status}}'])).split('\n').map((line) => line.trim().split(/ {2,}/));
  expect(lines.map(([name]) => name)).toEqual(['NAMES', 'ice', 'made', 'gone', 'web']);
  expect(lines[0]?.[1]).toBe('STATUS');
});

test('inspect: the fields of the guide (1.3.1.10), in their forms', async () => {
  const web = at(JSON.parse(await daemon.ok(['inspect', 'web'])), 0);
  expect(web).toMatchObject({
    Id: ids['web'], Path: 'sleep', Args: ['1000'], RestartCount: 0,
    State: { Status: 'running', Running: true, Paused: false, Restarting: false, ExitCode: 0, Error: '' },
    HostConfig: {
      NetworkMode: 'none', LogConfig: { Type: 'json-file' }, Memory: 33_554_432,
      Runtime: 'lcr', ShmSize: 67_108_864, AutoRemove: false, ReadonlyRootfs: false, Privileged: false,
      SystemContainer: false, UserRemap: '', HookSpec: '', EnvTargetFile: '', ExternalRootfs: '', FilesLimit: 0, Hugetlbs: [], NsChangeFiles: [],
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, CapAdd: [], CapDrop: [], Dns: [], Ulimits: [],
    },
    Config: {
      Hostname: expect.any(String), Env: expect.arrayContaining(['A=b']), Tty: false, Cmd: ['sleep', '1000'], Labels: { tier: 'front', app: 'shop' },
      Annotations: { 'log.console.file': at(web, 'LogPath'), 'log.console.filerotate': '7', 'log.console.filesize': '1MB' },
    },
    Mounts: [],
  });
  for (const path of ['Created', 'State.StartedAt', 'State.FinishedAt']) {
    expect(String(at(web, ...path.split('.')))).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  }
  const ice = at(JSON.parse(await daemon.ok(['inspect', 'ice'])), 0, 'Mounts');
  expect(ice).toMatchObject([{ Type: 'volume', Name: 'vol', Destination: '/data', RW: true, Driver: 'local' }]);
});

test('inspect: formats, several things, what is missing, sizes, the time limit', async () => {
  expect(await daemon.ok(['inspect', '-f', '{{json .State.ExitCode}}', 'gone', 'web'])).toBe('3\n0');
  expect(await daemon.ok(['inspect', '-f', '{{range .Config.Env}}[{{.}}]{{end}}', 'web'])).toContain('[A=b]');
  expect(await daemon.ok(['inspect', '-f', '{{index .Config.Labels "tier"}} {{.Config.Labels.app}}', 'web'])).toBe('front shop');
  const mixed = '{{index .Config.Cmd 1}} {{.HostConfig.Memory}} {{printf "%T" .HostConfig.Privileged}}';
  expect(await daemon.ok(['inspect', '-f', mixed, 'web'])).toBe('1000 33554432 bool');
  expect(JSON.parse(await daemon.ok(['inspect', '-f', '{{json .State}}', 'web']))).toMatchObject({ Status: 'running' });
  expect(Number(await daemon.ok(['inspect', '-s', '-f', '{{.SizeRootFs}}', 'web']))).toBeGreaterThan(100_000);
  const both = await daemon.isula(['inspect', '-f', '{{.Id}}', 'web', 'nosuch', 'gone']);
  expect([both.code, both.stdout, both.stderr]).toEqual([1, `${ids['web']}\n${ids['gone']}\n`, 'Error: No such object: nosuch\n']);
  expect(await daemon.ok(['inspect', '-t', '5', '-f', '{{.Name}}', 'web'])).toBe('/web');
  expect(await daemon.ok(['inspect', '-t', '0', '-f', '{{.Name}}', 'web'])).toBe('/web');
});
