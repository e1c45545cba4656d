import { describe, expect, test } from 'bun:test';
import { defaultImageOptions } from '../context.ts';
import { bodyChunks } from './body.ts';
import { parseChallenges } from './challenge.ts';
import { endpointsFor } from './endpoints.ts';
import { proxyFor } from './proxy.ts';

describe('challenges', () => {
  test.each<[string, string]>([
    ['Basic realm="a, b"', 'basic realm=a, b'],
    [
      'Bearer realm="https://x/token",service="s",scope="repository:a:pull,push"',
      'bearer realm=https://x/token service=s scope=repository:a:pull,push',
    ],
    ['Negotiate, Basic realm=x', 'negotiate;basic realm=x'],
    ['Bearer realm = "x\\"y" , service=z', 'bearer realm=x"y service=z'],
    ['', ''],
    ['"nonsense', ''],
  ])('%s', (header, parsed) => {
    const shown = parseChallenges(header).map(({ scheme, parameters }) => {
      return [scheme, ...[...parameters].map(([name, value]) => `${name}=${value}`)].join(' ');
    });
    expect(shown.join(';')).toBe(parsed);
  });
});

describe('proxies', () => {
  const settings = { http: 'proxy:3128', https: 'http://secure:1', no: ['.corp', 'exact.org', '10.0.0.0/8', 'port.net:81'] };
  test.each([
    ['http://x.org/', 'http://proxy:3128'],
    ['https://x.org/', 'http://secure:1'],
    ['http://localhost:5000/', undefined],
    ['http://127.1.2.3/', undefined],
    ['https://a.corp/', undefined],
    ['https://exact.org/', undefined],
    ['https://sub.exact.org/', undefined],
    ['https://notexact.org/', 'http://secure:1'],
    ['http://10.1.2.3/', undefined],
    ['http://11.1.2.3/', 'http://proxy:3128'],
    ['http://port.net:81/', undefined],
    ['http://port.net/', 'http://proxy:3128'],
  ])('%s by %p', (url, proxy) => {
    expect(proxyFor(new URL(url), settings)).toBe(proxy);
  });
});

describe('endpoints', () => {
  const shown = (domain: string, options: object, purpose: 'read' | 'write' = 'read'): string[] => {
    const endpoints = endpointsFor(domain, { ...defaultImageOptions, ...options }, purpose);
    return endpoints.map(({ host, schemes, insecure }) => `${host} ${schemes.join(',')}${insecure ? ' insecure' : ''}`);
  };

  test('the default host, its mirrors for reading, its transformation', () => {
    const registryMirrors = ['mirror.org', 'http://plain:5000/', 'other.org=https://for-other', 'docker.io'];
    expect(shown('docker.io', { registryMirrors })).toEqual(['mirror.org https', 'plain:5000 http insecure', 'registry-1.docker.io https']);
    expect(shown('docker.io', { registryMirrors }, 'write')).toEqual(['registry-1.docker.io https']);
    expect(shown('other.org', { registryMirrors })).toEqual(['for-other https', 'other.org https']);
    expect(() => shown('docker.io', { registryMirrors: ['https://x/path'] })).toThrow('invalid mirror');
  });

  test('insecure registries: loopback, by name, by host and port, by block', () => {
    const insecureRegistries = ['named', 'ported:5000', '192.168.0.0/16'];
    for (const host of ['localhost:1', '127.0.0.2', '[::1]:5000', 'named', 'named:99', 'ported:5000', '192.168.3.4:5000']) {
      expect(shown(host, { insecureRegistries })).toEqual([`${host} https,http insecure`]);
    }
    for (const host of ['other', 'ported:5001', '192.169.0.1']) expect(shown(host, { insecureRegistries })).toEqual([`${host} https`]);
  });
});

test('a body of which nothing more comes is given up', async () => {
  const response = new Response(new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(Buffer.from('some')) }));
  const got: string[] = [];
  const all = (async () => {
    for await (const chunk of bodyChunks(response, new AbortController().signal, 50)) got.push(Buffer.from(chunk).toString());
  })();
  await expect(all).rejects.toThrow('the registry sent nothing for 0.05 s');
  expect(got).toEqual(['some']);
});
