import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostsText, resolvConfText, writeEtcFiles } from './etc-files.ts';

const plain = { hostname: 'web', domainname: '', extraHosts: [], dns: [], dnsSearch: [], dnsOptions: [] };

test('hosts: loopback names, the own name, added hosts', () => {
  const text = hostsText({ ...plain, base: '', extraHosts: ['db:10.0.0.1', 'six:fe80::1'] });
  expect(text).toStartWith('127.0.0.1\tlocalhost\n');
  expect(text).toContain('\n127.0.1.1\tweb\n');
  expect(text).toEndWith('10.0.0.1\tdb\nfe80::1\tsix\n');
  expect(hostsText({ ...plain, domainname: 'example.org', base: '' })).toContain('127.0.1.1\tweb.example.org web\n');
  expect(hostsText({ ...plain, hostname: 'localhost', base: '' })).not.toContain('127.0.1.1');
  expect(hostsText({ ...plain, base: '1.2.3.4 host\n', extraHosts: ['db:10.0.0.1'] })).toBe('1.2.3.4 host\n10.0.0.1\tdb\n');
  expect(() => hostsText({ ...plain, base: '', extraHosts: ['h:host-gateway'] })).toThrow('there is no bridge network');
});

test("resolv.conf: the host's, without its loopback servers, parts replaced", () => {
  const host = '# comment\ndomain old\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 9.9.9.9 # quad\n'
    + 'search a.org b.org\noptions ndots:2\noptions rotate\n';
  expect(resolvConfText({ ...plain, network: 'none', host })).toBe('nameserver 9.9.9.9\nsearch a.org b.org\noptions ndots:2 rotate\n');
  expect(resolvConfText({ ...plain, network: 'host', host })).toStartWith('nameserver 127.0.0.1\nnameserver ::1\nnameserver 9.9.9.9\n');
  expect(resolvConfText({ network: 'none', host, dns: ['1.1.1.1', '127.0.0.1'], dnsSearch: ['.'], dnsOptions: ['timeout:1'] }))
    .toBe('nameserver 1.1.1.1\nnameserver 127.0.0.1\noptions timeout:1\n');
  expect(resolvConfText({ ...plain, network: 'none', host: '' })).toBe('');
});

test('files are written in place, readable for all, from the host as it is', () => {
  const root = mkdtempSync('/tmp/isula-etc-');
  mkdirSync(`${root}/etc`);
  mkdirSync(`${root}/run/systemd/resolve`, { recursive: true });
  writeFileSync(`${root}/etc/resolv.conf`, 'nameserver 127.0.0.53\noptions edns0\n');
  writeFileSync(`${root}/run/systemd/resolve/resolv.conf`, 'nameserver 8.8.4.4\n');
  const files = writeEtcFiles({ ...plain, directory: `${root}/c`, network: 'none' }, root);
  expect(readFileSync(files.resolvConf, 'utf8')).toBe('nameserver 8.8.4.4\n');
  expect(readFileSync(files.hostname, 'utf8')).toBe('web\n');
  const { ino, mode } = statSync(files.hosts);
  expect(mode & 0o777).toBe(0o644);
  writeEtcFiles({ ...plain, hostname: 'other', directory: `${root}/c`, network: 'host' }, root);
  expect(statSync(files.hosts).ino).toBe(ino);
  expect(readFileSync(files.resolvConf, 'utf8')).toBe('nameserver 127.0.0.53\noptions edns0\n');
  rmSync(root, { recursive: true });
});
