import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import 'reflect-metadata';
import { Pkcs10CertificateRequest, type SubjectAlternativeNameExtension } from '@peculiar/x509';
import t from 'tap';
import { makeRequest, makeSelfSigned, renewalMs } from '../../../../src/kubelet/certificates/key-and-request.js';

const hourMs = 3_600_000;

t.test('a request says who asks, and is signed by its key', async (t) => {
  const { request, keyPem } = await makeRequest({
    commonName: 'system:node:node-1',
    organization: 'system:nodes',
    dnsNames: ['node-1'],
    ipAddresses: ['192.0.2.7', '2001:db8::7'],
  });
  t.match(request, /^-----BEGIN CERTIFICATE REQUEST-----\n[\s\S]*-----END CERTIFICATE REQUEST-----\n$/);
  const parsed = new Pkcs10CertificateRequest(request);
  t.equal(parsed.subject, 'O=system:nodes, CN=system:node:node-1');
  t.ok(await parsed.verify());
  const names = parsed.getExtension('2.5.29.17') as SubjectAlternativeNameExtension;
  t.strictSame(
    names.names.items.map(({ type, value }) => `${type} ${value}`),
    ['dns node-1', 'ip 192.0.2.7', 'ip 2001:db8::7'],
  );
  const key = createPrivateKey(keyPem);
  t.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  const own = createPublicKey(key).export({ type: 'spki', format: 'der' });
  t.ok(own.equals(Buffer.from(parsed.publicKey.rawData)));
});

t.test('a client asks for no names: the approver would refuse them', async (t) => {
  const { request } = await makeRequest({ commonName: 'system:node:a', organization: 'system:nodes' });
  t.strictSame(new Pkcs10CertificateRequest(request).extensions, []);
});

t.test('a self-signed serving certificate', async (t) => {
  const nowMs = Date.parse('2021-01-13T13:00:00Z');
  const { certPem, keyPem } = await makeSelfSigned(
    { commonName: 'node-1', dnsNames: ['node-1', 'localhost'], ipAddresses: ['192.0.2.7', '127.0.0.1'] },
    nowMs,
  );
  const certificate = new X509Certificate(certPem);
  t.ok(certificate.checkPrivateKey(createPrivateKey(keyPem)));
  t.ok(certificate.verify(certificate.publicKey));
  t.equal(certificate.subject, 'CN=node-1@1610542800');
  t.equal(certificate.subjectAltName, 'DNS:node-1, DNS:localhost, IP Address:192.0.2.7, IP Address:127.0.0.1');
  t.equal(certificate.checkHost('node-1'), 'node-1');
  t.equal(certificate.checkIP('192.0.2.8'), undefined);
  t.notOk(certificate.ca);
  t.equal(Date.parse(certificate.validFrom), nowMs - 24 * hourMs);
  t.equal(Date.parse(certificate.validTo), nowMs + 365 * 24 * hourMs);
  const lifeMs = 366 * 24 * hourMs;
  for (const [random, share] of [
    [0, 0.7],
    [0.5, 0.8],
    [1, 0.9],
  ] as const) {
    const wantMs = nowMs - 24 * hourMs + share * lifeMs;
    t.ok(Math.abs(renewalMs(certPem, random) - wantMs) < 1, `renewed after ${share} of its life`);
  }
});
