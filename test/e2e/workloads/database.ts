import type { Test } from 'tap';
import { eventuallySee } from '../support/eventually.js';
import { httpGet } from '../support/http-get.js';
import type { PodView } from '../support/kubectl.js';
import { applyForTest, readManifest, type WorkloadContext } from './context.js';

const nodePort = 30001;
const replicas = 5;

interface Answer {
  readonly pod: string;
  readonly mysql: string;
  readonly visits: number;
  readonly pods: number;
}

/** A database and five servers that find it by MYSQL_SERVICE_HOST, each a ReplicationController with its Service. */
export async function database(t: Test, context: WorkloadContext): Promise<void> {
  await applyForTest(t, context, await readManifest('mysql.yaml'), 'app=mysql');
  await context.run(['wait', '--for=condition=Ready', '--timeout=120s', 'pod', '-l', 'app=mysql']);
  await applyForTest(t, context, await readManifest('web.yaml'), 'app=web');
  await allReady(context);

  await t.test("every answer of the node port has the database's result, from several pods", async (t) => {
    const answers: Answer[] = [];
    for (let visit = 0; visit < 40; visit += 1) answers.push(await ask(`http://${context.nodeAddress}:${nodePort}/`));
    t.ok(
      answers.every(({ mysql }) => /^\d+\.\d+\.\d+-MariaDB/.test(mysql)),
      'MariaDB answered each',
      { answers },
    );
    t.same(
      answers.map(({ visits }) => visits),
      answers.map((_, index) => index + 1),
      'one database counted them all',
    );
    const served = [...new Set(answers.map(({ pod }) => pod))].sort();
    const names = (await context.pods('app=web')).map(({ name }) => name);
    t.same(
      served.filter((pod) => !names.includes(pod)),
      [],
      'only pods of the controller answered',
    );
    // That forty visits meet fewer than three of five pods has a chance of one in ten million million.
    t.ok(served.length >= 3, 'the Service spreads the visits', { served });
    t.equal(answers.at(-1)?.pods, served.length, 'the database knows each of them');
  });

  await t.test("the Service's own address is served as well", async (t) => {
    const address = (await context.run(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])).trim();
    t.match(await ask(`http://${address}:8080/`), { mysql: /-MariaDB/ });
  });

  await t.test('a server that is deleted is replaced', async (t) => {
    const before = (await context.pods('app=web')).map(({ name }) => name);
    const [victim = ''] = before;
    await context.run(['delete', 'pod', victim, '--wait=false']);
    const after = (await allReady(context)).map(({ name }) => name);
    t.notOk(after.includes(victim), `${victim} is gone`);
    t.equal(after.filter((name) => !before.includes(name)).length, 1, 'one came for it', { before, after });
  });
}

/** The servers, leaving out those on their way out. */
async function allReady(context: WorkloadContext): Promise<readonly PodView[]> {
  return await eventuallySee(
    `${replicas} servers to be ready`,
    async () => (await context.pods('app=web')).filter(({ terminating }) => !terminating),
    (pods) => pods.length === replicas && pods.every(({ ready }) => ready),
    120_000,
  );
}

async function ask(url: string): Promise<Answer> {
  const { status, body } = await httpGet(url);
  if (status !== 200) throw new Error(`GET ${url}: status ${status}: ${body}`);
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(body)?.[1] ?? '';
  return { pod: field('pod'), mysql: field('mysql'), visits: Number(field('visits')), pods: Number(field('pods')) };
}
