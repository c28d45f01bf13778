/** Which address goes through the proxy of the environment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyOfEnvironment } from './access.js';

test('the proxy of the protocol is taken, but not for what NO_PROXY or this machine is', () => {
  const env = { HTTPS_PROXY: 'proxy.example:3128', http_proxy: 'http://plain.example' };
  const of = (address: string, NO_PROXY = '') => proxyOfEnvironment(address, { ...env, NO_PROXY });
  assert.equal(of('https://k8s.corp.example:6443'), 'http://proxy.example:3128');
  assert.equal(of('http://k8s.corp.example'), 'http://plain.example');
  assert.equal(proxyOfEnvironment('https://k8s.corp.example', {}), undefined);
  for (const own of ['https://127.0.0.1:6443', 'https://localhost:6443', 'https://[::1]:6443'])
    assert.equal(of(own), undefined, own);
  const excepted: readonly (readonly [string, string])[] = [
    ['https://k8s.corp.example:6443', '*'],
    ['https://k8s.corp.example:6443', 'other, corp.example'],
    ['https://k8s.corp.example:6443', '.corp.example'],
    ['https://k8s.corp.example:6443', 'k8s.corp.example:6443'],
    ['https://10.1.2.3:6443', '10.0.0.0/8'],
    ['https://10.1.2.3:6443', '10.1.2.3'],
    ['https://[fd00::1]:6443', 'fd00::/8'],
  ];
  for (const [address, list] of excepted) assert.equal(of(address, list), undefined, list);
  const meant: readonly (readonly [string, string])[] = [
    ['https://k8s.corp.example:6443', 'notcorp.example, rp.example'],
    ['https://corp.example:6443', '.corp.example'],
    ['https://k8s.corp.example:6443', 'k8s.corp.example:443'],
    ['https://11.1.2.3:6443', '10.0.0.0/8, k8s/8, 10.0.0.0'],
  ];
  for (const [address, list] of meant) assert.equal(of(address, list), 'http://proxy.example:3128', list);
});
