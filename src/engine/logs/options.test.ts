import { expect, test } from 'bun:test';
import { consoleAnnotations, logDetails, parseLogOptions } from './options.ts';

const none = { Type: '', Config: {} };

test('the defaults are those of the guide', () => {
  expect(parseLogOptions(none, none)).toMatchObject({ disabled: false, maxBytes: 1024 * 1024, maxFiles: 7, labels: [], env: [], tag: '' });
  expect(consoleAnnotations(parseLogOptions(none, none), '/x/console.log')).toEqual({
    'log.console.file': '/x/console.log', 'log.console.filerotate': '7', 'log.console.filesize': '1MB',
  });
});

test('the container goes before the daemon, option by option', () => {
  const daemon = { Type: 'json-file', Config: { 'max-file': '3', 'max-size': '30KB', 'disable-log': 'true' } };
  expect(parseLogOptions({ Type: '', Config: { 'disable-log': 'false', 'max-size': '2m' } }, daemon))
    .toMatchObject({ disabled: false, maxBytes: 2 ** 21, maxFiles: 3 });
  expect(parseLogOptions(none, daemon)).toMatchObject({ disabled: true, maxBytes: 30 * 1024 });
  expect(parseLogOptions({ Type: 'none', Config: {} }, daemon)).toMatchObject({ disabled: true, maxFiles: 7 });
  expect(consoleAnnotations(parseLogOptions(none, daemon), '/x')['log.console.file']).toBe('none');
  expect(parseLogOptions({ Type: '', Config: { 'max-size': '-1' } }, none).maxBytes).toBe(Infinity);
});

test('bad values', () => {
  const cases: [Record<string, string>, string][] = [
    [{ 'max-file': '0' }, 'invalid value for max-file'],
    [{ 'max-file': 'x' }, 'invalid value for max-file'],
    [{ 'max-file': '9999' }, 'cannot be more than 1000'],
    [{ 'max-size': '0' }, 'invalid value for max-size'],
    [{ 'max-size': '12' }, 'cannot be less than'],
    [{ 'max-size': '1x' }, 'invalid suffix'],
    [{ 'disable-log': 'maybe' }, 'invalid value for disable-log'],
    [{ nope: '1' }, "unknown log opt 'nope' for json-file log driver"],
    [{ mode: 'non-blocking' }, 'only blocking is supported'],
    [{ mode: 'x' }, 'only blocking is supported'],
    [{ compress: 'true' }, 'not compressed'],
    [{ 'env-regex': '(' }, 'no regular expression'],
    [{ 'labels-regex': '(a+)+' }, 'too complex'],
    [{ labels: 'x'.repeat(5000) }, 'longer than'],
  ];
  for (const [options, message] of cases) expect(() => parseLogOptions({ Type: '', Config: options }, none)).toThrow(message);
  expect(() => parseLogOptions({ Type: 'syslog', Config: {} }, none)).toThrow("no log driver named 'syslog' is registered");
});

test('details', () => {
  const settings = parseLogOptions({ Type: '', Config: { labels: 'role', env: 'B', 'env-regex': '^A', tag: '{{.Name}}/{{.ID}}/{{.Nope}}' } }, none);
  const facts = { id: 'f'.repeat(64), name: 'web', imageId: 'sha256:abc', imageName: 'busybox' };
  expect(logDetails(settings, { labels: { role: 'a b', other: 'x' }, env: ['A1=x', 'B=y=z', 'C=1'], ...facts }))
    .toBe(`A1=x,B=y%3Dz,role=a%20b,tag=web%2F${'f'.repeat(12)}%2F%7B%7B.Nope%7D%7D`);
});
