import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import {
  keepSignedIdentity,
  readServingIdentity,
  type ServingIdentity,
} from '../../../../src/kubelet/certificates/serving-certificate.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeSigner } from './signing-scene.js';

const start = Date.parse('2021-01-13T13:00:00Z');
const dayMs = 24 * 3_600_000;
const dir = await mkdtemp(join(tmpdir(), 'serving-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));

function makeOptions(certDir: string) {
  const clock = makeManualClock(start);
  const controller = new AbortController();
  const options = {
    certFile: undefined as string | undefined,
    keyFile: undefined as string | undefined,
    certDir: join(dir, certDir),
    nodeName: 'node-1',
    nodeIps: ['192.0.2.7'],
    clock,
    logger: silentLogger,
    signal: controller.signal,
  };
  return { clock, controller, options };
}

t.test('makes its own, keeps it, and makes another one before its end', async (t) => {
  const { clock, options } = makeOptions('own');
  const made = await readServingIdentity(options);
  t.match(
    new X509Certificate(made.certPem).subjectAltName,
    /DNS:node-1, .*IP Address:192\.0\.2\.7, IP Address:127\.0\.0\.1/,
  );
  t.equal((await stat(join(options.certDir, 'kubelet.key'))).mode & 0o777, 0o600);
  clock.advance(363 * dayMs);
  t.strictSame(await readServingIdentity(options), made);
  clock.advance(2 * dayMs);
  const newer = await readServingIdentity(options);
  t.not(newer.certPem, made.certPem);
  t.equal(await readFile(join(options.certDir, 'kubelet.crt'), 'utf8'), newer.certPem);
  await writeFile(join(options.certDir, 'kubelet.crt'), 'rubbish');
  t.ok(new X509Certificate((await readServingIdentity(options)).certPem), 'rubbish is replaced');
});

t.test('waits for the files that were named', async (t) => {
  const { clock, controller, options } = makeOptions('named');
  const [certFile, keyFile] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  const reading = readServingIdentity({ ...options, certFile, keyFile });
  await clock.slept(1);
  await writeFile(certFile, 'CERT');
  clock.advance(50);
  await clock.slept(2);
  await writeFile(keyFile, 'KEY');
  clock.advance(75);
  t.strictSame(await reading, { certPem: 'CERT', keyPem: 'KEY' });
  const never = readServingIdentity({ ...options, certFile: join(dir, 'no'), keyFile });
  never.catch(() => {});
  await clock.slept(3);
  controller.abort();
  await t.rejects(never, { name: 'AbortError' });
});

t.test('has it signed, and anew before its end', async (t) => {
  const { clock, controller, options } = makeOptions('signed');
  const signer = await makeSigner(() => clock.now(), 10 * 3_600_000);
  const identities: ServingIdentity[] = [];
  signer.down = true;
  const keeping = keepSignedIdentity({
    ...options,
    client: signer.client,
    random: () => 0.5,
    onIdentity: (identity) => identities.push(identity),
  });
  await clock.slept(1);
  t.strictSame(clock.sleeps, [90_000], 'tried again after a while');
  signer.down = false;
  clock.advance(90_000);
  await clock.slept(2);
  t.equal(identities.length, 1);
  t.match(signer.asked[0]?.spec.signerName, 'kubernetes.io/kubelet-serving');
  // 80 % of ten hours, an hour at a time.
  for (let hours = 1; hours < 8; hours += 1) {
    clock.advance(3_600_000);
    await clock.slept(2 + hours);
  }
  t.equal(identities.length, 1);
  clock.advance(3_600_000);
  await clock.slept(10);
  t.equal(identities.length, 2);
  controller.abort();
  await keeping;
});
