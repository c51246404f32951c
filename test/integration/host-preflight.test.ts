import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { makeDefaults } from '../../src/config/defaults.js';
import { readHostFacts } from '../../src/config/host-facts.js';
import { connectEngine } from '../../src/docker/connect.js';
import { localHost } from '../../src/host/host.js';
import { runCommand } from '../../src/host/run-command.js';
import { systemFactSources } from '../../src/preflight/fact-sources.js';
import { gatherFacts } from '../../src/preflight/gather-facts.js';
import { runPreflight } from '../../src/preflight/run-preflight.js';

const engine = await connectEngine({ env: process.env });
t.teardown(() => engine.close());
const { cluster } = makeDefaults(readHostFacts({}), {});
const sources = systemFactSources({ host: localHost(runCommand), clock: systemClock, engine });

t.test('on this machine: every fact is known, privileged containers are proven, nothing is left behind', async (t) => {
  const ours = async () => ({
    images: (await engine.listImages({ 'io.hyperup.role': 'preflight' })).length,
    containers: (await engine.listContainers({ labels: ['io.hyperup.role=preflight'], all: true })).length,
  });
  const started = performance.now();
  const facts = await gatherFacts(sources, { cluster });
  const { findings } = runPreflight(facts);
  t.comment(`${Math.round(performance.now() - started)} ms`);
  t.same(
    Object.entries(facts).flatMap(([key, fact]) => (fact.known ? [] : [`${key}: ${fact.reason}`])),
    [],
  );
  t.match(facts.privileged, { value: { runs: 'yes' } });
  t.match(
    findings.find(({ id }) => id === 'engine'),
    { severity: 'ok' },
  );
  t.same(await ours(), { images: 0, containers: 0 });
});

t.test('nothing is run or made where that isn’t wanted', async (t) => {
  const facts = await gatherFacts(sources, { cluster, proofs: false });
  t.match(facts.privileged, { value: { runs: 'unproven' } });
});
