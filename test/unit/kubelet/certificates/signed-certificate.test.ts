import { createPrivateKey, X509Certificate } from 'node:crypto';
import t from 'tap';
import { obtainCertificate } from '../../../../src/kubelet/certificates/signed-certificate.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { makeSigner } from './signing-scene.js';

async function makeScene() {
  const clock = makeManualClock(Date.parse('2021-01-13T13:00:00Z'));
  const signer = await makeSigner(() => clock.now(), 3_600_000);
  const controller = new AbortController();
  return {
    clock,
    signer,
    controller,
    obtain: (signerName: Parameters<typeof obtainCertificate>[0]['signerName']) =>
      obtainCertificate({
        client: signer.client,
        clock,
        signerName,
        subject: { commonName: 'system:node:a', organization: 'system:nodes' },
        timeoutMs: 10_000,
        signal: controller.signal,
      }),
  };
}

t.test('a certificate of the key that asked, once it was approved', async (t) => {
  const { clock, signer, obtain } = await makeScene();
  signer.looks = 2;
  const obtained = obtain('kubernetes.io/kube-apiserver-client-kubelet');
  for (let look = 1; look <= 2; look += 1) {
    await clock.slept(look);
    clock.advance(500);
  }
  const { certPem, keyPem } = await obtained;
  const certificate = new X509Certificate(certPem);
  t.ok(certificate.checkPrivateKey(createPrivateKey(keyPem)));
  t.equal(certificate.subject, 'O=system:nodes\nCN=system:node:a');
  t.match(signer.asked, [
    {
      spec: {
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['digital signature', 'key encipherment', 'client auth'],
      },
    },
  ]);
});

t.test('what a serving certificate is for', async (t) => {
  const { signer, obtain } = await makeScene();
  await obtain('kubernetes.io/kubelet-serving');
  t.strictSame(signer.asked[0]?.spec.usages, ['digital signature', 'key encipherment', 'server auth']);
});

t.test('refusals end the wait', async (t) => {
  for (const type of ['Denied', 'Failed']) {
    const { signer, obtain } = await makeScene();
    signer.refusal = { type, reason: 'NotYou', message: 'go away' };
    await t.rejects(obtain('kubernetes.io/kubelet-serving'), {
      code: 'Unhealthy',
      message: `certificate signing request csr-1: ${type.toLowerCase()}: NotYou: go away`,
    });
  }
});

t.test('nobody approves', async (t) => {
  const late = await makeScene();
  late.signer.looks = -1;
  const waiting = late.obtain('kubernetes.io/kubelet-serving');
  waiting.catch(() => {});
  await late.clock.slept(1);
  late.clock.advance(10_000);
  await t.rejects(waiting, { code: 'Timeout', message: /csr-1.*not approved yet/ });
  const stopped = await makeScene();
  stopped.signer.looks = -1;
  const ended = stopped.obtain('kubernetes.io/kubelet-serving');
  ended.catch(() => {});
  await stopped.clock.slept(1);
  stopped.controller.abort();
  await t.rejects(ended, { code: 'Aborted' });
});
